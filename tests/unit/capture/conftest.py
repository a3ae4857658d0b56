"""Records and files for capture's tests."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Project
from storage.types import new_id
from studio.capture.record import Record
from studio.jobs.context import JobContext
from studio.settings import Settings

MakeRecord = Callable[..., Record]


def completion(text: str = "Hello", **more: Any) -> bytes:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return json.dumps({"id": new_id(), "model": "gpt", "choices": [choice], "usage": usage, **more}).encode()


@pytest.fixture
def make_record(project: Project) -> MakeRecord:
    def make(prompt: str = "Hi", reply: bytes | None = None, **meta: Any) -> Record:
        facts = {"uid": new_id(), "at": time.time(), "project_id": project.id, "model": "gpt", "status": "ok"}
        request = json.dumps({"model": "gpt", "messages": [{"role": "user", "content": prompt}]}).encode()
        return Record({**facts, **meta}, request, completion() if reply is None else reply)

    return make


@pytest.fixture
def import_context(
    tmp_path: Path, settings: Settings, database: Database, artifacts: Artifacts, project: Project
) -> Callable[[Path], JobContext]:
    def make(path: Path) -> JobContext:
        spec = {"path": str(path), "project_id": project.id, "format": "openai"}
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        return JobContext("job", 1, "import", spec, folder, settings, database, artifacts, project_id=project.id)

    return make
