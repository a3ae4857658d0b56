"""POST /upload: a file from the browser straight to disk, however large, to be previewed and then imported."""

from __future__ import annotations

import errno
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from studio.access.actor import Actor, Role
from studio.bootstrap import Studio
from studio.errors import InvalidInput, NotAllowed, SignedOut, StorageFull, StudioError
from studio.ui.gate import COOKIE
from studio.ui.sign_in import same_origin

WRITE_AT_ONCE = 1 << 20
KEEP_FREE = 200 << 20


class Uploads:
    """Receives files; memory stays flat because each megabyte is on disk before the next is read."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def routes(self) -> list[Route]:
        """The route to put before the app's."""
        return [Route("/upload", self.upload, methods=["POST"])]

    async def upload(self, request: Request) -> Response:
        """Take the body as a file of `?project=` (id), named `?name=`; the answer is the upload's id."""
        try:
            return JSONResponse({"upload": await self._taken(request)})
        except StudioError as error:
            return JSONResponse({"error": error.message}, _status_of(error))

    async def _taken(self, request: Request) -> str:
        if not same_origin(request):
            raise NotAllowed("Upload from the Capture page of the studio itself.")
        actor = await run_in_threadpool(self._uploader, request.cookies.get(COOKIE, ""))
        project = await run_in_threadpool(self.studio.projects.get, request.query_params.get("project", ""))
        name = request.query_params.get("name", "upload").replace("\\", "/").rsplit("/", 1)[-1][:200] or "upload"
        uploads = self.studio.imports.uploads
        upload = await run_in_threadpool(uploads.begin, actor, project.id, name)
        try:
            await save_stream(request.stream(), upload.path, int(request.headers.get("content-length", 0) or 0))
        except BaseException:
            uploads.remove(upload.path)
            raise
        return upload.id

    def _uploader(self, token: str) -> Actor:
        """Who uploads; asked before the first byte, so that nobody without the role fills the disk."""
        actor = self.studio.people.actor_for(token)
        if actor is None:
            raise SignedOut()
        if not actor.can(Role.EDITOR):
            raise NotAllowed(f"Importing needs the role {Role.EDITOR}; you are {actor.role}.")
        return actor


async def save_stream(chunks: AsyncIterator[bytes], path: Path, announced: int = 0) -> int:
    """Write the chunks to a new file and return its size. Raises StorageFull, InvalidInput when it is empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if announced > shutil.disk_usage(path.parent).free - KEEP_FREE:
        raise StorageFull(f"The file has {announced >> 20} MB and the disk of {path.parent} has no room for it.")
    size, held = 0, bytearray()
    try:
        with path.open("xb") as file:
            async for chunk in chunks:
                held += chunk
                if len(held) >= WRITE_AT_ONCE:
                    size += await run_in_threadpool(_write, file, held)
            size += await run_in_threadpool(_write, file, held)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull() from error
        raise
    if not size:
        raise InvalidInput("The file is empty. Choose a file with at least one line.")
    return size


def _write(file: BinaryIO, held: bytearray) -> int:
    size = file.write(held)
    held.clear()
    return size


def _status_of(error: StudioError) -> int:
    known = {SignedOut: 401, NotAllowed: 403, StorageFull: 507}
    return known.get(type(error), 400)
