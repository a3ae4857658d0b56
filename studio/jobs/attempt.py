"""Inside the job's process: build the context, call the handler, turn whatever happens into files and an exit code."""

from __future__ import annotations

import errno
import threading
import traceback
from typing import Any

from sqlalchemy.exc import DBAPIError

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Job
from studio.errors import StorageFull, StudioError
from studio.jobs.catalog import handler
from studio.jobs.context import JobCancelled, JobContext
from studio.jobs.folders import RunFolder
from studio.jobs.outcome import STOPPED_POLITELY
from studio.jobs.queue import Jobs
from studio.jobs.reporter import Reporter
from studio.settings import Settings

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def run_attempt(job_id: str, attempt: int, stop: threading.Event) -> int:
    """Run the job unless an earlier attempt already finished it; returns the exit code."""
    settings = Settings()
    run = RunFolder.of(settings.runs, job_id)
    if run.result() is not None:
        return 0
    database = Database(settings.database)
    job = Jobs(database).get(job_id)
    with Reporter(database, job_id, attempt, stop) as reporter:
        context = _context(job, attempt, run, settings, database)
        context.on_report, context.stop_asked = reporter.report, stop.is_set
        return _call(context, run)


def _context(job: Job, attempt: int, run: RunFolder, settings: Settings, database: Database) -> JobContext:
    return JobContext(
        job_id=job.id,
        attempt=attempt,
        kind=job.kind,
        spec=job.spec,
        folder=run.work,
        settings=settings,
        database=database,
        artifacts=Artifacts(settings.artifacts),
        created_by=job.created_by,
        project_id=job.project_id,
    )


def _call(context: JobContext, run: RunFolder) -> int:
    try:
        context.leave_if_asked()
        result: dict[str, Any] = handler(context.kind)(context) or {}
        run.write_result(result)
        return 0
    except JobCancelled:
        return STOPPED_POLITELY
    except Exception as error:
        traceback.print_exc()
        run.write_error(context.attempt, sentence(error))
        return 1


def sentence(error: Exception) -> str:
    """What the user is told about this error."""
    if isinstance(error, StudioError):
        return error.message
    if isinstance(error, MemoryError):
        return "The job ran out of memory. Free some, or choose something smaller, then press Retry."
    if _is_disk_full(error):
        return StorageFull().message
    return f"Unexpected error: {type(error).__name__}: {error} (see the log)"


def _is_disk_full(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            return True
        if isinstance(error, DBAPIError) and "disk is full" in str(error.orig):
            return True
        error = error.__cause__ or error.__context__
    return False
