"""Imports: calls from a file into the log, as a job that goes on where it stopped and never takes a row twice."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from storage.database import Database
from storage.tables import Job
from studio.access.actor import Actor, Role
from studio.capture.entries import entry_values
from studio.capture.importers.catalog import importer, recognise
from studio.capture.importers.port import ImportedCall, RowError
from studio.capture.record import Record
from studio.errors import InvalidInput
from studio.jobs.queue import Jobs
from studio.settings import Settings

PREVIEWED = 20


@dataclass(frozen=True)
class Preview:
    """How the beginning of a file reads."""

    format: str
    size: int
    calls: list[dict[str, Any]] = field(default_factory=list)
    """Column values of the first calls."""
    errors: list[RowError] = field(default_factory=list)


class Imports:
    """Starts imports."""

    def __init__(self, database: Database, jobs: Jobs, settings: Settings) -> None:
        self.database = database
        self.jobs = jobs
        self.settings = settings

    def preview(self, path: Path, rows: int = PREVIEWED) -> Preview:
        """Read the first rows only. Raises InvalidInput when the file cannot be one of ours."""
        name = recognise(path)
        calls, errors = [], []
        with path.open("rb") as stream:
            for row in islice(importer(name).read(stream), rows):
                if isinstance(row, RowError):
                    errors.append(row)
                else:
                    calls.append(call_values(row, project_id=""))
        return Preview(name, path.stat().st_size, calls, errors)

    def start(self, actor: Actor, project_id: str, path: Path, filename: str) -> Job:
        """Import the file as a job. People of the studio import what they uploaded; the operator, any file."""
        path = Path(path).resolve()
        if actor.person_id is not None and not path.is_relative_to(self.uploads.resolve()):
            raise InvalidInput("Upload the file on the Capture page first.")
        spec = {"path": str(path), "project_id": project_id, "format": recognise(path), "filename": filename}
        title = f"Import {os.path.basename(filename)[:100] or path.name}"
        return self.jobs.submit(actor, "import", spec, title=title, project_id=project_id, needs=Role.EDITOR)

    @property
    def uploads(self) -> Path:
        """Where uploaded files lie until they are imported."""
        return self.settings.root / "uploads"


def call_values(call: ImportedCall, project_id: str) -> dict[str, Any]:
    """Column values of an imported call; its uid follows from the project and the row."""
    uid = "i" + hashlib.sha256(f"{project_id}:{call.digest}".encode()).hexdigest()[:31]
    external_id = call.record.meta.get("external_id") or f"sha256:{call.digest}"
    meta = {**call.record.meta, "uid": uid, "project_id": project_id, "external_id": external_id}
    return entry_values(Record(meta, call.record.request, call.record.reply))
