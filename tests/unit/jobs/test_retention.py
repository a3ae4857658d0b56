"""What is removed of old runs, and what never is."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from storage.database import Database
from storage.tables import Job
from storage.types import now
from studio.jobs.folders import RunFolder
from studio.jobs.retention import clean
from studio.settings import Settings

LONG_AGO = now() - timedelta(days=40)


def _job(database: Database, settings: Settings, key: str, **columns: object) -> RunFolder:
    with database.write() as session:
        session.add(Job(id=key, kind="train", **columns))
    run = RunFolder.of(settings.runs, key)
    run.prepare(1)
    (run.attempt(1) / "log.txt").write_text("what it said")
    (run.work / "checkpoints" / "checkpoint-4").mkdir(parents=True)
    (run.work / "data.bin").write_bytes(b"x")
    for name in ("result.json", "events.jsonl", "recipe.yaml", "studio.json"):
        (run.work / name).write_text("{}")
    return run


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_only_the_story_of_an_old_job_is_kept(database: Database, settings: Settings) -> None:
    run = _job(database, settings, "old", status="succeeded", finished_at=LONG_AGO)
    elsewhere = settings.root / "artifacts" / "blob"
    elsewhere.parent.mkdir()
    elsewhere.write_text("a model")
    (run.work / "base").symlink_to(elsewhere.parent)
    assert clean(database, settings) == 1 and clean(database, settings) == 0
    assert _names(run.work) == {"result.json", "events.jsonl", "recipe.yaml", "studio.json"}
    assert (run.attempt(1) / "log.txt").read_text() == "what it said"
    assert elsewhere.read_text() == "a model", "a link is removed, never what it leads to"


@pytest.mark.parametrize(
    ("status", "days"),
    [("failed", 29), ("cancelled", 29), ("succeeded", 29), ("running", 400), ("queued", 400), ("starting", 400)],
)
def test_what_may_go_on_keeps_everything(database: Database, settings: Settings, status: str, days: int) -> None:
    run = _job(database, settings, "j", status=status, finished_at=now() - timedelta(days=days))
    assert clean(database, settings) == 0 and (run.work / "checkpoints" / "checkpoint-4").exists()


def test_a_failed_job_past_its_time_starts_over(database: Database, settings: Settings) -> None:
    run = _job(database, settings, "j", status="failed", finished_at=LONG_AGO)
    assert clean(database, settings) == 1 and not (run.work / "checkpoints").exists()


def test_a_run_of_which_something_lives_is_left_alone(database: Database, settings: Settings) -> None:
    run = _job(database, settings, "j", status="failed", finished_at=LONG_AGO)
    lock = run.take_lock()
    assert lock is not None and clean(database, settings) == 0 and (run.work / "data.bin").exists()
    os.close(lock)
    assert clean(database, settings) == 1


def test_nothing_is_removed_where_everything_is_to_be_kept(database: Database, settings: Settings) -> None:
    _job(database, settings, "j", status="succeeded", finished_at=LONG_AGO)
    assert clean(database, Settings(home=settings.home, keep_runs_days=0)) == 0
    assert clean(database, Settings(home=settings.home, keep_runs_days=60)) == 0
    assert clean(database, Settings(home=settings.home / "empty")) == 0
