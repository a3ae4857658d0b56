"""GET /export/calls: the calls of an address as a file, streamed as it is written; nothing of it lies in memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from storage.tables import Project
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio
from studio.errors import InvalidInput, NotAllowed, NotFound, SignedOut, StudioError
from studio.ui.capture.address import Query, criteria_of
from studio.ui.gate import COOKIE
from studio.ui.navigation import page_named

TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


class Downloads:
    """Sends exports to people who may read calls."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def routes(self) -> list[Route]:
        """The route to put before the app's."""
        return [Route("/export/calls", self.calls, methods=["GET"])]

    async def calls(self, request: Request) -> Response:
        """Every call of `?project_id=` that the other parameters mean, as `?format=` jsonl, csv or parquet."""
        try:
            return await run_in_threadpool(self._calls, request)
        except StudioError as error:
            return PlainTextResponse(error.message, _status_of(error))

    def _calls(self, request: Request) -> Response:
        self._reader(request.cookies.get(COOKIE, ""))
        query: Query = {name: request.query_params.getlist(name) for name in request.query_params}
        project = self.studio.projects.get((query.get("project_id") or [""])[0])
        kind = (query.get("format") or ["jsonl"])[0]
        if kind not in TYPES:
            raise InvalidInput(f"Calls are exported as {', '.join(TYPES)}. Choose one of them.")
        parts = self.studio.explorer.export(criteria_of(project.id, query), kind)
        headers = {
            "Content-Disposition": f'attachment; filename="{file_name(project, kind)}"',
            "Cache-Control": "no-store",
        }
        return StreamingResponse(_started(parts), media_type=TYPES[kind], headers=headers)

    def _reader(self, token: str) -> Actor:
        """Who downloads: anybody who sees the Capture page."""
        actor = self.studio.people.actor_for(token)
        if actor is None:
            raise SignedOut()
        if actor.role not in page_named("capture").seen_by:
            raise NotAllowed(f"Exporting calls needs the role {Role.VIEWER}; you are {actor.role}.")
        return actor


def file_name(project: Project, kind: str) -> str:
    """A name that every system takes."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', project.name).strip('-.') or 'calls'}-calls.{kind}"


def _started(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The same parts with the first one read already: what is wrong with the question is told as an error."""
    return chain([next(parts, b"")], parts)


def _status_of(error: StudioError) -> int:
    known = {SignedOut: 401, NotAllowed: 403, NotFound: 404}
    return known.get(type(error), 400)
