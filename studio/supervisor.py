"""Keeps a set of child processes running and shows their output as one log. Knows nothing of what they do."""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

from studio.jobs import processes

COOKIE = "STUDIO_SUPERVISOR"
FIRST_WAIT_S, LONGEST_WAIT_S, HEALTHY_AFTER_S = 0.5, 30.0, 60.0
COLOURS = (36, 35, 33, 32, 34, 31, 96, 95)
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Child:
    """A process to keep running; `ready_url` answers once it can serve, `setting` is what changes its `port`."""

    name: str
    argv: Sequence[str]
    env: dict[str, str] = field(default_factory=dict)
    ready_url: str = ""
    port: int = 0
    setting: str = ""
    cwd: str | None = None


@dataclass
class Running:
    """A child as it is now: its process, or when to start it again."""

    child: Child
    process: subprocess.Popen[bytes] | None = None
    since: float = 0.0
    wait_s: float = FIRST_WAIT_S
    start_at: float = 0.0
    ready: bool = False
    text: bytes = b""


class Supervisor:
    """Starts children in process groups of their own, restarts them with back-off, and leaves nothing behind.

    Should the supervisor itself be killed, the kernel asks its children to stop (on Linux).
    """

    def __init__(
        self,
        children: Sequence[Child],
        on_ready: Callable[[], None] = lambda: None,
        grace_s: float = 30.0,
        out: IO[str] = sys.stdout,
    ) -> None:
        self.all = [Running(child) for child in children]
        self.on_ready, self.grace_s, self.out = on_ready, grace_s, out
        self.cookie = uuid.uuid4().hex
        self._selector = selectors.DefaultSelector()
        self._asked = 0
        self._announced = False
        self._probe_at = 0.0
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def run(self) -> None:
        """Keep everything running until TERM, HUP or Ctrl-C, then stop it all."""
        previous = {number: signal.signal(number, self._ask) for number in _ENDINGS}
        try:
            while not self._asked:
                self.step()
        finally:
            self.stop()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def step(self) -> None:
        """One round: start what is due, pass output on, notice what ended and what became ready."""
        for running in self.all:
            if running.process is None and time.monotonic() >= running.start_at:
                self._start(running)
        self._pass_output_on(0.2)
        for running in self.all:
            if running.process is not None and running.process.poll() is not None:
                self._ended(running, running.process)
        self._notice_readiness()

    def stop(self) -> None:
        """TERM to all, a grace, KILL, and a sweep for anything that slipped away. A second Ctrl-C skips the grace."""
        self.say("stopping")
        self._asked = max(self._asked, 1)
        for running in self.all:
            _signal(running, signal.SIGTERM)
        deadline = time.monotonic() + self.grace_s
        while self._alive() and time.monotonic() < deadline and self._asked < 2:
            self._pass_output_on(0.1)
        for running in self.all:
            _signal(running, signal.SIGKILL)
            if running.process is not None:
                running.process.wait()
        self._pass_output_on(0)
        self._sweep()
        self.say("stopped")

    def say(self, text: str) -> None:
        """A line of the supervisor's own."""
        self._print("studio", 1, text)

    def say_all(self, lines: Sequence[str]) -> None:
        """Several lines of the supervisor's own."""
        for line in lines:
            self.say(line)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked += 1

    def _start(self, running: Running) -> None:
        child = running.child
        running.process = subprocess.Popen(
            child.argv,
            env={**os.environ, **child.env, COOKIE: self.cookie},
            cwd=child.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        running.since, running.ready = time.monotonic(), False
        pipe = running.process.stdout
        assert pipe is not None
        os.set_blocking(pipe.fileno(), False)
        self._selector.register(pipe, selectors.EVENT_READ, running)

    def _ended(self, running: Running, process: subprocess.Popen[bytes]) -> None:
        if time.monotonic() - running.since > HEALTHY_AFTER_S:
            running.wait_s = FIRST_WAIT_S
        self._drain(running, process.stdout)
        running.process, running.start_at = None, time.monotonic() + running.wait_s
        cause = f"signal {-process.returncode}" if process.returncode < 0 else f"exit code {process.returncode}"
        self.say(f"{running.child.name} ended ({cause}); starting it again in {running.wait_s:g} s")
        running.wait_s = min(running.wait_s * 2, LONGEST_WAIT_S)

    def _pass_output_on(self, timeout_s: float) -> None:
        for key, _events in self._selector.select(timeout_s):
            self._drain(key.data, key.fileobj)  # type: ignore[arg-type]

    def _drain(self, running: Running, pipe: IO[bytes] | None) -> None:
        if pipe is None or pipe.closed:
            return
        while chunk := _read(pipe):
            *lines, running.text = (running.text + chunk).split(b"\n")
            for line in lines:
                self._show(running, line)
        if chunk == b"":  # the end; None means nothing for now
            self._selector.unregister(pipe)
            pipe.close()
            if running.text:
                self._show(running, running.text)
            running.text = b""

    def _show(self, running: Running, line: bytes) -> None:
        colour = COLOURS[self.all.index(running) % len(COLOURS)]
        self._print(running.child.name, colour, line.decode(errors="replace").rstrip())

    def _print(self, name: str, colour: int, text: str) -> None:
        label = f"{name:>9} │"
        with suppress(BrokenPipeError, ValueError):  # nobody reads the log any more; that stops nothing
            coloured = f"\x1b[{colour}m{label}\x1b[0m" if self.out.isatty() else label
            print(coloured, text, file=self.out, flush=True)

    def _notice_readiness(self) -> None:
        if self._announced or time.monotonic() < self._probe_at:
            return
        for running in self.all:
            running.ready = running.ready or (running.process is not None and self._answers(running))
        self._probe_at = time.monotonic() + 0.5
        if all(running.ready for running in self.all):
            self._announced = True
            self.on_ready()

    def _answers(self, running: Running) -> bool:
        if not running.child.ready_url:
            return time.monotonic() - running.since > 1.0
        try:
            with self._opener.open(running.child.ready_url, timeout=1.0) as answer:
                return bool(answer.status < 400)
        except (OSError, urllib.error.URLError, ValueError):
            return False

    def _alive(self) -> bool:
        return any(running.process is not None and running.process.poll() is None for running in self.all)

    def _sweep(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            left = processes.with_cookie(COOKIE, self.cookie)
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            deadline = time.monotonic() + 2.0
            while any(map(processes.is_alive, left)) and time.monotonic() < deadline:
                time.sleep(0.05)


_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _die_with_parent() -> None:
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def _signal(running: Running, number: signal.Signals) -> None:
    if running.process is not None and running.process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(running.process.pid, number)


def _read(pipe: IO[bytes]) -> bytes | None:
    try:
        return os.read(pipe.fileno(), 1 << 16)
    except BlockingIOError:
        return None
