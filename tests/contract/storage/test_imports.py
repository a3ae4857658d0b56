"""Imports leave the same in the log on SQLite and on PostgreSQL: once, with feedback, cleaned, however odd."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.feedback import FeedbackRepository
from storage.repositories.logs import LogEntryRepository
from storage.tables import CapturePolicy, Feedback, LogEntry, Project, Pseudonym
from studio.capture import import_file
from studio.capture.import_file import FileImport
from studio.jobs.context import JobCancelled, JobContext
from studio.settings import Settings

EMAIL = "maria.lopez@example.com"
ODD = [
    "nul \x00 in it",
    "half \ud83d of a pair",
    "\U0001f9ff 東京 é",
    "' ; drop table log_entry; --",
    "%s %(x)s :y \\0",
]
RUNS = ("first", "again")
Context = Callable[..., JobContext]


@pytest.fixture
def context(tmp_path: Path, settings: Settings, stored: Database, project: Project) -> Context:
    def make(path: Path, run: str = "run") -> JobContext:
        spec = {"path": str(path), "project_id": project.id, "filename": path.name}
        artifacts = Artifacts(settings.artifacts)
        return JobContext("job", 1, "import", spec, tmp_path / run, settings, stored, artifacts, project_id=project.id)

    return make


def written(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def row(number: int, text: str = "", **more: Any) -> dict[str, Any]:
    """A row of Helicone's export, with a rating."""
    turns = [{"role": "user", "content": text or f"Question {number}"}]
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": f"Answer {number}"}}]}
    rated = {"feedback_rating": bool(number % 2), "feedback_created_at": "2026-03-02"}
    return {"request_id": f"h{number}", "request_body": {"messages": turns}, "response_body": answer, **rated, **more}


def calls(stored: Database) -> list[LogEntry]:
    with stored.read() as session:
        return sorted(LogEntryRepository(session).find(), key=lambda entry: entry.id or 0)


def feedback(stored: Database) -> list[Feedback]:
    with stored.read() as session:
        return FeedbackRepository(session).find()


def test_a_file_comes_in_once_with_its_feedback_and_bad_rows_are_told(
    tmp_path: Path, context: Context, stored: Database
) -> None:
    path = written(tmp_path / "calls", [*[row(n) for n in range(30)], {"request_id": "bad", "delay_ms": 1}, "odd"])
    first, again = [FileImport(context(path, run)).run() for run in RUNS]
    counts = ("imported", "duplicates", "errors", "feedback", "feedback_known")
    assert [first[name] for name in counts] == [30, 0, 2, 30, 0]
    assert [again[name] for name in counts] == [0, 30, 2, 0, 30]
    assert [call.rating for call in calls(stored)] == ["down", "up"] * 15 and len(feedback(stored)) == 30
    older = written(tmp_path / "older", [row(1, feedback_rating=False, feedback_created_at="2026-03-01")])
    assert FileImport(context(older, "third")).run()["feedback"] == 1
    assert [call.rating for call in calls(stored)][:2] == ["down", "up"]


def test_an_import_that_is_stopped_goes_on_with_the_next_row(
    tmp_path: Path, context: Context, stored: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_file, "BATCH_ROWS", 10)
    path, asked = written(tmp_path / "calls", [row(n) for n in range(35)]), iter([False, False, True])
    stopped = context(path)
    stopped.stop_asked = lambda: next(asked)
    with pytest.raises(JobCancelled):
        FileImport(stopped).run()
    assert len(calls(stored)) == 20
    result = FileImport(context(path)).run()
    assert (result["imported"], result["duplicates"], len(calls(stored)), len(feedback(stored))) == (35, 0, 35, 35)


def test_odd_texts_numbers_and_ids_stop_no_import(tmp_path: Path, context: Context, stored: Database) -> None:
    odd: list[dict[str, Any]] = [row(n, text, properties={text: text}) for n, text in enumerate(ODD)]
    odd += [row(10 + n, request_id=f"{text}-{n}", user_id=text, feedback_id=text) for n, text in enumerate(ODD)]
    odd += [row(20, prompt_tokens=10**30, delay_ms=1e300), row(21, request_id="x" * 5000, model="m" * 5000)]
    path = written(tmp_path / "calls", odd)
    first, again = [FileImport(context(path, run)).run() for run in RUNS]
    assert first["imported"] + first["errors"] == len(odd) and first["imported"] >= 2 * len(ODD)
    assert (again["imported"], again["errors"]) == (0, first["errors"])
    assert len(calls(stored)) == first["imported"]


def test_values_are_taken_out_and_kept_sealed_for_admins(
    tmp_path: Path, context: Context, stored: Database, project: Project
) -> None:
    with stored.write() as session:
        session.add(CapturePolicy(project_id=project.id, detectors=["email"], pseudonyms=True))
    path = written(tmp_path / "calls", [row(n, f"Write to {EMAIL}, please, {n}") for n in range(3)])
    FileImport(context(path)).run()
    texts = {call.prompt_text.split("[")[1].split("]")[0] for call in calls(stored)}
    assert len(texts) == 1 and texts.pop().startswith("email:")
    with stored.read() as session:
        [sealed] = session.exec(select(Pseudonym)).all()
    assert EMAIL not in str(sealed.model_dump())
