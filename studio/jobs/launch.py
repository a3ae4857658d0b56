"""Start an attempt: its folders, its lock, its GPUs, its environment, and the shim that runs it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import studio
from storage.tables import Job
from studio.errors import StorageFull
from studio.jobs.folders import RunFolder
from studio.jobs.warm.client import WarmStart
from studio.settings import Settings

SHIM = Path(__file__).with_name("shim.py")
SOURCE = Path(studio.__file__).parent.parent
RUN_COOKIE = "STUDIO_RUN"


class Shim(Protocol):
    """A shim that was started: `poll` says how it ended, None while it runs."""

    def poll(self) -> int | None:
        """Also buries it."""
        ...


class ForkedShim:
    """A shim whose burial is the warm process's business."""

    def poll(self) -> int:
        """Nothing to wait for."""
        return 0


def launch(job: Job, settings: Settings, gpus: list[int], warm: WarmStart | None = None) -> Shim | None:
    """Start the job's present attempt and return its shim, or None while an earlier attempt is still alive."""
    run = RunFolder.of(settings.runs, job.id)
    lock = run.take_lock()
    if lock is None:
        return None
    try:
        run.prepare(job.attempt)
        run.write_gpus(job.attempt, gpus)
        return _start_shim(job, run, environment(job, settings, gpus), lock, warm)
    finally:
        os.close(lock)


def _start_shim(job: Job, run: RunFolder, env: dict[str, str], lock: int, warm: WarmStart | None) -> Shim:
    folder = run.attempt(job.attempt)
    with (folder / "shim.txt").open("ab") as complaints:
        if warm is not None and job.kind in warm.kinds:
            request: dict[str, object] = {"folder": str(folder), "cwd": str(run.work), "argv": command(job)}
            if warm.fork(request, env, lock, complaints.fileno()):
                return ForkedShim()
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(SHIM), str(folder), str(lock), json.dumps(command(job))],
            pass_fds=[lock],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=complaints,
            stderr=complaints,
            cwd=run.work,
            env=env,
        )


def command(job: Job) -> list[str]:
    """The argv of every job."""
    return [sys.executable, "-m", "studio.run_job", job.id, str(job.attempt)]


def environment(job: Job, settings: Settings, gpus: list[int]) -> dict[str, str]:
    """Our environment, the settings as they are, calm thread pools, no telemetry, and the cookie of the run."""
    defaults = {"OMP_NUM_THREADS": str(_cores()), "OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}
    fixed = {
        RUN_COOKIE: job.id,
        "STUDIO_ATTEMPT": str(job.attempt),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TRL_EXPERIMENTAL_SILENCE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONSAFEPATH": "1",  # nothing in the work folder can pose as a module
        "PYTHONPATH": os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH", "")])),
    }
    if settings.worker_gpus:
        fixed["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, gpus))
    return {**defaults, **os.environ, **settings.environment(), **fixed}


def why_not(error: OSError) -> str:
    """A sentence for an attempt that could not be started."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull().message
    return f"The job could not be started: {error.strerror or error}. Correct that, then press Retry."


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
