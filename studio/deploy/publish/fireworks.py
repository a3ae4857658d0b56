"""A model at Fireworks, in the four steps of "Upload via REST API" (docs.fireworks.ai).

Create the model, ask for signed addresses, PUT each file there without our key, and poll `:validateUpload` until it is
ready. Only tested against that documentation: a real account was never asked.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any

import httpx

from studio.deploy.publish import company
from studio.deploy.publish.company import company_api, mark, pause, readable
from studio.deploy.publish.port import Published, Report
from studio.errors import Conflict, InvalidInput, NotFound, Unavailable
from studio.train.hosted.http import Api

HOME = "https://api.fireworks.ai"
NAME = re.compile(r"([A-Za-z0-9-]+)/([a-z][a-z0-9-]{0,62})")
TOLD_EVERY = 64 << 20
READY_WITHIN_S = 3600.0
UPLOADED = 0.9
"""How far the job is when every file was sent."""


class Landing(Conflict):
    """Fireworks has not seen all files land yet. Publish again in a few minutes."""


class FireworksApi(Api):
    """`:validateUpload` says by one word in its error that nothing is wrong yet."""

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        if not answer.is_success and "FAILED_PRECONDITION" in answer.text:
            raise Landing
        return super()._checked(answer)


class FireworksDestination:
    """Repeatable: a model that is ready is done, one that is uploading is gone on with, another's is refused."""

    def __init__(self, name: str, key: str, digest: str = "", url: str = "") -> None:
        found = NAME.fullmatch(name)
        if found is None:
            raise InvalidInput(
                "A model at Fireworks is written as fireworks:account/model: lower-case letters, digits and dashes."
            )
        self.account, self.model = found.groups()
        self.digest, self.api = digest, company_api("Fireworks", url or HOME, key, FireworksApi)

    @property
    def full_name(self) -> str:
        """As deployments name it."""
        return f"accounts/{self.account}/models/{self.model}"

    def put(self, files: dict[str, Path], report: Report) -> Published:
        """All four steps, or those that are left."""
        with readable("Fireworks"):
            found = self._found() or self._created(sorted(files))
            if found.get("description") != mark(self.digest):
                raise Conflict(f"Fireworks has {self.full_name} with other weights. Choose another name.")
            if found["state"] != "READY":
                self._upload(files, report)
                self._validated(report)
        return Published(
            f"fireworks:{self.account}/{self.model}", self.digest[:16], company="fireworks", model=self.full_name
        )

    def _found(self) -> dict[str, Any] | None:
        try:
            return self.api.get(f"/v1/{self.full_name}")
        except NotFound:
            return None

    def _created(self, names: list[str]) -> dict[str, Any]:
        details = {"checkpointFormat": "HUGGINGFACE", "worldSize": 1, "huggingfaceFiles": names}
        model = {"kind": "HF_BASE_MODEL", "description": mark(self.digest), "baseModelDetails": details}
        try:
            return self.api.post(f"/v1/accounts/{self.account}/models", json={"modelId": self.model, "model": model})
        except (Conflict, Unavailable):  # its answer was lost, or it is there already
            found = self._found()
            if found is None:
                raise
            return found

    def _upload(self, files: dict[str, Path], report: Report) -> None:
        sizes = {name: path.stat().st_size for name, path in files.items()}
        body = {"filenameToSize": sizes, "enableResumableUpload": False}
        report(0.0, f"Opening {self.full_name} at Fireworks")
        signed = self.api.post(f"/v1/{self.full_name}:getUploadEndpoint", json=body)["filenameToSignedUrls"]
        told = Told(report, sum(sizes.values()) or 1)
        for name, path in sorted(files.items()):
            told.name = name
            with path.open("rb") as stream:
                headers = {
                    "Content-Type": "application/octet-stream",
                    "Content-Length": str(sizes[name]),
                    "x-goog-content-length-range": f"{sizes[name]},{sizes[name]}",
                }
                self.api.send("PUT", signed[name], content=Reading(stream, told), headers=headers)
            told.before += sizes[name]

    def _validated(self, report: Report) -> None:
        """A check by their own, with warnings that do not stand in the way."""
        until = time.monotonic() + READY_WITHIN_S
        while True:
            report(UPLOADED, "Waiting for Fireworks to check the files")
            with suppress(Landing):
                said = self.api.get(f"/v1/{self.full_name}:validateUpload")
                report(1.0, " ".join(str(each) for each in said.get("warnings") or []))
                return
            if time.monotonic() > until:
                raise Landing
            pause(report, UPLOADED, "Waiting for the files to land at Fireworks", company.LOOK_EVERY_S)


@dataclass
class Told:
    """How much of everything was sent."""

    report: Report
    total: int
    name: str = ""
    before: int = field(default=0)

    def at(self, sent: int) -> None:
        """Tell it; raises when the job was asked to leave."""
        self.report(UPLOADED * min(1.0, (self.before + sent) / self.total), f"Sending {self.name} to Fireworks")


class Reading:
    """A file that tells how far it was read, so that a large one can be cancelled half-way."""

    def __init__(self, stream: BufferedReader, told: Told) -> None:
        self.stream, self.told, self.next = stream, told, 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        if self.stream.tell() >= self.next:
            self.told.at(self.stream.tell())
            self.next = self.stream.tell() + TOLD_EVERY
        return self.stream.read(size)

    def seek(self, offset: int) -> int:
        """Back to the beginning, when it is sent once more."""
        self.next = 0
        return self.stream.seek(offset)

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(1 << 16):
            yield piece
