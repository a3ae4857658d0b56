"""What the user is told about an error, and how a handler is found, called and reported on."""

from __future__ import annotations

import errno
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from storage.database import Database
from storage.tables import Job
from studio.errors import InvalidInput, NotFound, StorageFull
from studio.jobs.attempt import run_attempt, sentence
from studio.jobs.catalog import handler
from studio.jobs.folders import RunFolder, log_tail
from studio.jobs.reporter import Reporter
from studio.settings import Settings
from tests.fakes import job_kinds


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InvalidInput("Line 3 is not JSON."), "Line 3 is not JSON."),
        (OSError(errno.ENOSPC, "No space left on device"), StorageFull().message),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), StorageFull().message),
        (_caused(RuntimeError("write failed"), OSError(errno.ENOSPC, "no space")), StorageFull().message),
        (OperationalError("INSERT", {}, Exception("database or disk is full")), StorageFull().message),
        (KeyError("loss"), "Unexpected error: KeyError: 'loss' (see the log)"),
    ],
)
def test_every_error_becomes_a_sentence(error: Exception, told: str) -> None:
    assert sentence(error) == told


def test_running_out_of_memory_says_what_to_do() -> None:
    assert "choose something smaller" in sentence(MemoryError())


def test_an_unknown_kind_is_a_sentence() -> None:
    with pytest.raises(NotFound, match="'juggle'"):
        handler("juggle")


def test_a_distribution_can_add_a_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(job_kinds.install(tmp_path / "kinds")), *sys.path])
    assert handler("test_steps") is job_kinds.steps


class Ran:
    """One attempt run in this process on a prepared row."""

    def __init__(self, settings: Settings, database: Database, **columns: Any) -> None:
        with database.write() as session:
            session.add(Job(id="j", attempt=1, status="running", host="h", **columns))
        self.folder = RunFolder.of(settings.runs, "j")
        self.folder.prepare(1)
        self.stop = threading.Event()

    def __call__(self) -> int:
        return run_attempt("j", 1, self.stop)


@pytest.fixture
def at_home(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The environment of a job's process."""
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "path", [str(job_kinds.install(tmp_path / "kinds")), *sys.path])
    return settings


def test_the_result_is_on_disk_when_the_handler_returns(at_home: Settings, database: Database) -> None:
    ran = Ran(at_home, database, kind="test_steps", spec={"n": 3, "pause": 0})
    assert ran() == 0
    assert ran.folder.result() == {"steps": 3, "started_from": [0]}


def test_a_job_that_an_earlier_attempt_finished_is_not_run_again(at_home: Settings, database: Database) -> None:
    ran = Ran(at_home, database, kind="test_steps", spec={"n": 3})
    ran.folder.write_result({"steps": 3})
    assert ran() == 0 and not (ran.folder.work / "starts").exists()


def test_a_stop_asked_before_the_handler_begins_is_heard(at_home: Settings, database: Database) -> None:
    ran = Ran(at_home, database, kind="test_steps", spec={"n": 3})
    ran.stop.set()
    assert ran() == 143 and ran.folder.result() is None


def test_a_failing_handler_leaves_its_sentence(
    at_home: Settings, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Ran(at_home, database, kind="test_broken", spec={"how": "bug"})
    assert ran() == 1
    assert (
        ran.folder.error(1) == "Unexpected error: ZeroDivisionError: integer division or modulo by zero (see the log)"
    )
    assert "1 // 0" in capsys.readouterr().err


def test_the_last_progress_is_written_however_fast_it_came(settings: Settings, database: Database) -> None:
    with database.write() as session:
        session.add(Job(id="j", kind="k", attempt=1, status="running"))
    stop = threading.Event()
    with Reporter(database, "j", 1, stop) as reporter:
        for step in range(1000):
            reporter.report(step / 1000, f"Step {step}")
    with database.read() as session:
        job = session.get(Job, "j")
    assert job is not None and (job.progress, job.progress_text) == (0.999, "Step 999")
    assert job.heartbeat_at is not None and not stop.is_set()


def test_an_attempt_that_was_superseded_is_told_to_stop(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    with database.write() as session:
        session.add(Job(id="j", kind="k", attempt=2, status="running", progress=0.1))
    stop = threading.Event()
    with Reporter(database, "j", 1, stop) as reporter:
        reporter.report(0.9, "old")
        deadline = time.monotonic() + 60
        while not stop.is_set() and time.monotonic() < deadline:
            time.sleep(0.02)
    with database.read() as session:
        job = session.get(Job, "j")
    assert stop.is_set() and job is not None and job.progress == 0.1
    assert "superseded" in capsys.readouterr().err


def test_the_log_shows_its_end(tmp_path: Path) -> None:
    run = RunFolder.of(tmp_path, "j")
    run.prepare(1)
    (run.attempt(1) / "log.txt").write_bytes(b"first\n" + b"x" * 100 + b"\xff last")
    assert log_tail(tmp_path, "j", 1, limit=6) == "\ufffd last"
    assert log_tail(tmp_path, "j", 2) == ""
