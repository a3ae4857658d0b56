"""Working files of jobs that ended long ago are removed; what they made is stored elsewhere and stays."""

from __future__ import annotations

import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path

from storage.database import Database
from storage.repositories.jobs import ENDED, JobRepository
from storage.types import now
from studio.jobs.folders import RunFolder
from studio.settings import Settings

KEPT = frozenset({"result.json", "events.jsonl", "recipe.yaml", "studio.json"})
"""Of the working folder: what tells how it went. Logs and records of attempts stay too."""


def clean(database: Database, settings: Settings, at: datetime | None = None) -> int:
    """Remove the working files of jobs that ended longer ago than is kept; returns how many jobs had some.

    Until then a failed or cancelled job finds everything when it is tried again; after that it starts over. Never
    touches a job that goes on, the artifact store, or anything outside the folder of runs.
    """
    if not settings.keep_runs_days or not settings.runs.exists():
        return 0
    before = (at or now()) - timedelta(days=settings.keep_runs_days)
    with database.read() as session:
        old = JobRepository(session).ended_before(before)
    folders = (RunFolder.of(settings.runs, job_id) for job_id in old)
    return sum(_clean_run(database, run, before) for run in folders if _leftovers(run.work))


def _clean_run(database: Database, run: RunFolder, before: datetime) -> bool:
    """With the run's lock held, so that it cannot start meanwhile."""
    lock = run.take_lock()
    if lock is None:
        return False
    try:
        with database.read() as session:
            job = JobRepository(session).get(run.path.name)
        if job is None or job.status not in ENDED or job.finished_at is None or job.finished_at >= before:
            return False
        for path in _leftovers(run.work):
            _remove(path)
        return True
    finally:
        os.close(lock)


def _leftovers(work: Path) -> list[Path]:
    return [path for path in work.iterdir() if path.name not in KEPT] if work.is_dir() else []


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
