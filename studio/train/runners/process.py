"""A child process on this machine, in the run's own folder: what `accelerate` is built on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from studio.errors import Unavailable
from studio.jobs import processes
from studio.train.runners import far_end, luggage
from studio.train.runners.port import RunSpec, RunState, handle_of

FAR_END = Path(far_end.__file__)
STARTING_S = 30.0
POLL_S = 0.05


class ProcessRunner:
    """Attempts as child processes; what is known about each is in a folder of its own under `root`."""

    in_place = True

    def __init__(self, root: Path, python: str = sys.executable) -> None:
        self.root, self.python = root, python

    def submit(self, spec: RunSpec, attempt: int) -> str:
        """Start the child unless this attempt has one."""
        handle = handle_of(spec.run_id, attempt)
        state = self.root / handle
        try:
            state.mkdir(parents=True)
        except FileExistsError:
            return handle
        command = [self.python, str(FAR_END), *self._arguments(spec, state)]
        with (state / "log.txt").open("ab") as log:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **spec.env}
            )
        _CHILDREN.append(child)
        return handle

    def _arguments(self, spec: RunSpec, state: Path) -> list[str]:
        found = ["--folder", str(spec.folder), "--argv", json.dumps(spec.argv), "--state", str(state)]
        return [*found, "--path", str(luggage.SOURCE), "--timeout", str(spec.timeout_s), "--base", spec.base]

    def status(self, handle: str) -> RunState:
        """Told by files and by whether the process still is the one that was started."""
        state = self.root / handle
        ended = _json(state / "exit.json")
        if ended is not None:
            return told_by(int(ended["code"]), asked_to_stop=(state / "stop").exists())
        _reap()
        record = _json(state / "proc.json")
        if record is None:
            return self._not_begun(state)
        if processes.is_alive(record["pid"]) and processes.start_time(record["pid"]) == record["started"]:
            return RunState("running")
        ended = _json(state / "exit.json")  # it may have ended between the two looks
        if ended is not None:
            return told_by(int(ended["code"]), asked_to_stop=(state / "stop").exists())
        return RunState("lost", reason="Its process is gone and left no exit code: it was killed, perhaps for memory.")

    def _not_begun(self, state: Path) -> RunState:
        if not state.exists():
            return RunState("lost", reason="This machine knows nothing of it.")
        if time.time() - state.stat().st_mtime < STARTING_S:
            return RunState("starting")
        return RunState("lost", reason="Its process did not come up.")

    def logs(self, handle: str, offset: int) -> tuple[bytes, int]:
        """What it printed after this byte."""
        try:
            with (self.root / handle / "log.txt").open("rb") as stream:
                stream.seek(offset)
                block = stream.read()
        except OSError as error:
            raise Unavailable(f"The log of {handle} cannot be read: {error.strerror}.") from error
        return block, offset + len(block)

    def cancel(self, handle: str, grace_s: float) -> None:
        """TERM, and KILL for all of it after the grace."""
        state = self.root / handle
        record = _json(state / "proc.json")
        if record is None or self.status(handle).ended:
            return
        (state / "stop").touch()
        with suppress(ProcessLookupError):  # it may have ended since the look
            os.kill(record["pid"], signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        while not self.status(handle).ended and time.monotonic() < deadline:
            time.sleep(POLL_S)
        if not self.status(handle).ended:
            processes.signal_group(record["child"], processes.start_time(record["child"]), signal.SIGKILL)

    def collect(self, handle: str, folder: Path) -> None:
        """Nothing to bring: it worked in the run's own folder."""

    def forget(self, handle: str) -> None:
        """Nothing is cleared away: its log stays beside the run."""

    def list_mine(self) -> Iterable[str]:
        """Attempts that were started from here."""
        return sorted(path.name for path in self.root.glob("*") if path.is_dir())


def told_by(code: int, asked_to_stop: bool) -> RunState:
    """What an exit code says."""
    if code == 0:
        return RunState("succeeded", 0)
    if code == 143 or asked_to_stop:
        return RunState("cancelled", code, "It was asked to stop.")
    return RunState("failed", code, reason_of(code))


def reason_of(code: int) -> str:
    """An exit code in words."""
    if code == far_end.SUPERSEDED:
        return "Its turn came too late, or a later attempt took over; it ended without training."
    if code == far_end.UNDELIVERED:
        return "What it made is too large to come back in its log. Give the place a shared folder."
    if code == far_end.TOO_LONG:
        return "It took longer than its time limit."
    if code > 128:
        return f"It was killed by signal {code - 128}" + (", perhaps out of memory." if code == 137 else ".")
    return f"It ended with exit code {code}."


_CHILDREN: list[subprocess.Popen[bytes]] = []


def _reap() -> None:
    _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return found
