"""Logs of a job: kept within bounds while it runs, and whole for who asks."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from studio.jobs.folders import RunFolder

LIMIT = 32 << 20
"""Bytes of one log file; the part before is kept once more."""
LOG, EARLIER = "log.txt", "log.1.txt"


def keep_within_bounds(attempt: Path, limit: int = LIMIT) -> bool:
    """Set a log that has grown too long aside, over the one set aside before, and let it start anew.

    Its writers append, so they go on at the new beginning; lines written in between are lost.
    """
    log = attempt / LOG
    if not log.exists() or log.stat().st_size <= limit:
        return False
    shutil.copyfile(log, attempt / f"{EARLIER}.part")
    os.replace(attempt / f"{EARLIER}.part", attempt / EARLIER)
    os.truncate(log, 0)
    return True


def whole_log(runs: Path, job_id: str) -> bytes:
    """Everything the job printed, attempt after attempt; where lines were let go, it says so."""
    folder = RunFolder.of(runs, job_id).path
    attempts = sorted((int(path.name[1:]) for path in folder.glob("a*") if path.name[1:].isdigit()), key=int)
    return b"".join(_of_attempt(folder / f"a{number}", number) for number in attempts)


def _of_attempt(attempt: Path, number: int) -> bytes:
    parts = [f"=== attempt {number} ===\n".encode()]
    for name in (EARLIER, LOG):
        path = attempt / name
        if path.exists():
            parts.append(path.read_bytes())
    if (attempt / EARLIER).exists():
        parts.insert(1, b"(the log was longer than is kept; its beginning may be missing)\n")
    return b"".join(parts).rstrip(b"\n") + b"\n"
