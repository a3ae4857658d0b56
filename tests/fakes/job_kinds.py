"""A job kind for tests, added the way a third party would add one: a distribution with an entry point."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from storage.artifacts import write_atomically
from studio.errors import InvalidInput
from studio.jobs.context import JobContext

ENTRY_POINTS = (
    "[whetstone.jobs]\ntest_steps = tests.fakes.job_kinds:steps\ntest_broken = tests.fakes.job_kinds:broken\n"
)


def install(folder: Path) -> Path:
    """Make a folder that, on PYTHONPATH, offers the kinds of this module to the studio."""
    facts = folder / "test_kinds-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: test-kinds\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


def steps(context: JobContext) -> dict[str, Any]:
    """Count to `n`, saving every fifth step, with a grandchild in a session of its own, noticing a double run."""
    guard = _claim_alone(context)
    if context.spec.get("stubborn"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hidden = subprocess.Popen(["sleep", "300"], start_new_session=bool(context.spec.get("hide", True)))
    done, total = _saved(context), int(context.spec["n"])
    _append(context, "starts", done)
    while done < total:
        if not context.spec.get("stubborn"):
            context.leave_if_asked()
        time.sleep(float(context.spec.get("pause", 0.02)))
        done += 1
        context.report(done / total, f"Step {done} of {total}")
        if done % 5 == 0 or done == total:
            write_atomically(context.folder / "saved.json", json.dumps(done).encode())
    _append(context, "completions", done)
    hidden.kill()
    os.close(guard)
    return {"steps": done, "started_from": _lines(context, "starts")}


def broken(context: JobContext) -> dict[str, Any]:
    """Fail in the way the spec asks for."""
    how = context.spec["how"]
    if how == "sentence":
        raise InvalidInput("Line 3 is not JSON. Correct it and import the file again.")
    if how == "bug":
        return {"never": 1 // 0}
    if how == "full":
        raise OSError(28, "No space left on device")
    if how == "memory":
        raise MemoryError
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def _claim_alone(context: JobContext) -> int:
    guard = os.open(context.folder / "alone", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _append(context, "violations", context.attempt)
    return guard


def _saved(context: JobContext) -> int:
    path = context.folder / "saved.json"
    return int(json.loads(path.read_text())) if path.exists() else 0


def _append(context: JobContext, name: str, value: int) -> None:
    with (context.folder / name).open("a") as stream:
        stream.write(f"{value}\n")


def _lines(context: JobContext, name: str) -> list[int]:
    return [int(line) for line in (context.folder / name).read_text().split()]
