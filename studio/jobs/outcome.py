"""What the end of an attempt means for its job: done, cancelled, failed with a sentence, or interrupted and resumed."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any

from storage.tables import Job
from storage.types import now
from studio.jobs.folders import RunFolder

STOPPED_POLITELY = 128 + signal.SIGTERM
TOO_BIG = "This job wants"


@dataclass(frozen=True)
class Outcome:
    """The columns to change, and a line for the job's history."""

    what: str
    values: dict[str, Any]


def judge(job: Job, run: RunFolder) -> Outcome:
    """Read what the attempt left on disk. Nothing of the run may be alive any more."""
    record = run.exit(job.attempt)
    code = record["code"] if record else None
    result = run.result()
    if result is not None:  # the work is done, even if the process was killed on its way out
        return _ended("succeeded", code, result=result, progress=1.0)
    if job.cancel_requested:
        return _ended("cancelled", code)
    if code == STOPPED_POLITELY or run.was_stopped(job.attempt):  # with the worker, which is nobody's failure
        return _again(job, code, interruptions=job.interruptions)
    if code is None or code < 0:
        return _interrupted(job, code)
    return _ended("failed", code, error=run.error(job.attempt) or _unexplained(code))


def too_big(job: Job, gpus: int, alone: bool) -> dict[str, Any]:
    """What becomes of a queued job that wants more GPUs than this machine has: where other machines share the queue
    (never with SQLite) it waits for one of them and says so.
    """
    wanted = "1 GPU" if job.gpus == 1 else f"{job.gpus} GPUs"
    sentence = f"{TOO_BIG} {wanted}, and the worker on this machine may hand out {gpus or 'none'}."
    if not alone:
        return {"progress_text": f"{sentence} It waits for a machine with more."}
    error = f"{sentence} Ask for fewer, or set STUDIO_WORKER_GPUS where there are as many, then press Retry."
    return {"status": "failed", "error": error, "finished_at": now()}


def _interrupted(job: Job, code: int | None) -> Outcome:
    count = job.interruptions + 1
    if count <= job.max_interruptions:
        return _again(job, code, interruptions=count)
    return _ended("failed", code, error=_gave_up(count, code), interruptions=count)


def _again(job: Job, code: int | None, interruptions: int) -> Outcome:
    values = {"status": "queued", "host": None, "exit_code": code, "interruptions": interruptions}
    return Outcome(f"interrupted in attempt {job.attempt} ({_cause(code)})", values)


def _ended(status: str, code: int | None, **values: Any) -> Outcome:
    return Outcome(
        f"{status} (exit code {code})", {"status": status, "exit_code": code, "finished_at": now(), **values}
    )


def _gave_up(count: int, code: int | None) -> str:
    return (
        f"The job was interrupted {count} times, the last time {_cause(code)}. "
        "Free some memory or choose something smaller, then press Retry: it goes on from where it was."
    )


def _cause(code: int | None) -> str:
    if code is None:
        return "with its supervisor: the machine was restarted or the whole run was killed"
    if code == -signal.SIGKILL:
        return "killed by signal 9, perhaps out of memory"
    if code < 0:
        return f"killed by signal {-code} ({signal.Signals(-code).name})"
    return "stopped with the worker"


def _unexplained(code: int) -> str:
    if code == 0:
        return "The job ended without a result. Its log shows how far it came; press Retry to go on from there."
    return f"The job ended with exit code {code} and left no message. Its log shows how far it came."
