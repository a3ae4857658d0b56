"""Processes of a run: is it alive, is it still the same one, and how to end all of it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def is_alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    fields = _stat(pid)
    return fields is None or fields[0] != "Z"


def start_time(pid: int) -> str:
    """Clock ticks after boot at which the process started, "" when it is gone; with the pid it names a process."""
    fields = _stat(pid)
    return fields[19] if fields else ""


def signal_group(leader: int, started: str, number: signal.Signals) -> None:
    """Signal a process group unless its number was given to somebody else since.

    When the leader is gone the rest of the group may still live, and then the number cannot have been reused.
    """
    if start_time(leader) not in ("", started):
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def with_cookie(name: str, value: str) -> list[int]:
    """Live processes started with this environment variable, wherever they hid (own session, closed descriptors)."""
    cookie = f"{name}={value}".encode()
    return [pid for pid in _all() if cookie in _environment(pid) and pid != os.getpid() and is_alive(pid)]


def kill(pids: list[int]) -> None:
    """End these processes now."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def command_line(pid: int) -> str:
    """What the process was started as, for messages; "" when the system does not tell."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def _all() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()] if PROC.exists() else []


def _environment(pid: int) -> list[bytes]:
    try:
        return (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _stat(pid: int) -> list[str] | None:
    try:
        return (PROC / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
