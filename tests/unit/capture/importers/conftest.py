"""Files imported by the real job, and what is in the log afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.feedback import FeedbackRepository
from storage.repositories.logs import LogEntryRepository
from storage.tables import Feedback, LogEntry, Project
from studio.capture.jobs import import_file
from studio.jobs.context import JobContext
from studio.settings import Settings

USER = {"role": "user", "content": "Hi"}
ANSWER = {"role": "assistant", "content": "Hello"}


def completion(text: str = "Hello", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "c1", "model": "gpt-4o-mini", "created": 1_700_000_000, "choices": [choice], **more}


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@dataclass
class Importer:
    """Runs imports into one project, each a job with a folder of its own."""

    make: Callable[..., JobContext]
    database: Database
    runs: int = 0

    def __call__(self, path: Path, **spec: Any) -> dict[str, Any]:
        self.runs += 1
        return import_file(self.make(path, f"run{self.runs}", **spec))

    def calls(self) -> list[LogEntry]:
        with self.database.read() as session:
            return sorted(LogEntryRepository(session).find(), key=lambda entry: entry.id or 0)

    def feedback(self) -> list[Feedback]:
        with self.database.read() as session:
            found = FeedbackRepository(session).find()
        return sorted(found, key=lambda one: (one.log_entry_id, one.kind, one.name))


@pytest.fixture
def context_of(
    tmp_path: Path, settings: Settings, database: Database, artifacts: Artifacts, project: Project
) -> Callable[..., JobContext]:
    def make(path: Path, run: str = "run", **spec: Any) -> JobContext:
        told = {"path": str(path), "project_id": project.id, "filename": path.name, **spec}
        folder = tmp_path / "jobs" / run
        return JobContext("job", 1, "import", told, folder, settings, database, artifacts, project_id=project.id)

    return make


@pytest.fixture
def run_import(context_of: Callable[..., JobContext], database: Database) -> Importer:
    return Importer(context_of, database)
