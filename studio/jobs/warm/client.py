"""The worker's side of warm start: starts the warm process when a training job is due, and asks it for forks."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Collection

from studio.jobs.catalog import PRELOAD, WARM
from studio.settings import Settings

LOADING_S = 60.0
"""How long training jobs are held back for the loading; they would spend that time on loading themselves."""
ANSWER_S = 5.0
AFTER_A_FAILURE_S = 600.0
SINGLE_THREADED = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Libraries that start a thread when they are imported; a process that forks must not have any."""
ROOM = {"STUDIO_WARM": "." * 256}
"""Makes room in the block that forked jobs write their own environment over."""
PER_RUN = frozenset({"STUDIO_RUN", "STUDIO_ATTEMPT", "CUDA_VISIBLE_DEVICES"})


class WarmStart:
    """One warm process at most. Whenever it is not there, or not ready, or not right, jobs start cold as ever.

    Off where the worker hands out GPUs: forking beside a GPU's driver is not proven there.
    """

    def __init__(
        self, settings: Settings, kinds: Collection[str] = WARM, modules: Collection[str] = tuple(PRELOAD)
    ) -> None:
        self.settings, self.kinds, self.modules = settings, frozenset(kinds), tuple(modules)
        self.is_on = sys.platform == "linux" and settings.warm_minutes > 0 and not settings.worker_gpus
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._env: dict[str, str] = {}
        self._is_ready = False
        self._since, self._used, self._failed = 0.0, 0.0, float("-inf")

    def held_back(self, kind: str, env: dict[str, str]) -> frozenset[str]:
        """Kinds to leave in the queue for now: a job of this kind is due and the warm process is loading for it."""
        if not self.is_on or kind not in self.kinds or time.monotonic() - self._failed < AFTER_A_FAILURE_S:
            return frozenset()
        if self._process is None:
            self._load(env)
        self._notice()
        is_loading = self._process is not None and not self._is_ready
        return self.kinds if is_loading and time.monotonic() - self._since < LOADING_S else frozenset()

    def look(self, is_needed: bool) -> None:
        """Let go of the process when no job of its kinds has run for a while, or when it has died."""
        if self._process is None:
            return
        self._notice()
        if is_needed:
            self._used = time.monotonic()
        if time.monotonic() - self._used > self.settings.warm_minutes * 60:
            self.close()

    def fork(self, request: dict[str, object], env: dict[str, str], lock: int, complaints: int) -> bool:
        """Start an attempt from the warm process; False when it has to be started cold."""
        if not self._is_ready or self._channel is None or _of_the_process(env) != self._env:
            return False
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            ours.settimeout(ANSWER_S)
            try:
                message = json.dumps({**request, "env": env}).encode()
                socket.send_fds(self._channel, [message], [lock, complaints, theirs.fileno()])
                theirs.close()
                if ours.recv(5) == b"ready":
                    ours.send(b"go")  # before this word the fork does nothing, so an attempt never starts twice
                    self._used = time.monotonic()
                    return True
            except OSError as error:
                print(f"warm start: {error}", file=sys.stderr)
        self._give_up()
        return False

    def close(self) -> None:
        """End the warm process; jobs forked from it go on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._channel is not None:
            self._channel.close()
        self._process = self._channel = None
        self._is_ready = False

    def _load(self, env: dict[str, str]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._env = _of_the_process(env)
        self.settings.runs.mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "-m", "studio.jobs.warm.server", str(theirs.fileno()), str(self.settings.runs)]
        with theirs, (self.settings.runs / "warm.txt").open("wb") as log:
            self._process = subprocess.Popen(
                [*argv, *self.modules],
                pass_fds=[theirs.fileno()],
                env={**self._env, **SINGLE_THREADED, **ROOM},
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.settings.runs,
            )
        ours.setblocking(False)
        self._channel, self._since, self._used = ours, time.monotonic(), time.monotonic()

    def _notice(self) -> None:
        """See whether the process has said that it is ready, or has ended."""
        if self._process is None or self._channel is None:
            return
        if self._process.poll() is not None:
            self._give_up()
        elif not self._is_ready:
            try:
                self._is_ready = self._channel.recv(4) == b"warm"
            except BlockingIOError:
                return
            self._channel.settimeout(ANSWER_S)

    def _give_up(self) -> None:
        if not self._is_ready:  # it would fail again; one that was killed later is made anew with the next job
            self._failed = time.monotonic()
        self.close()


def _of_the_process(env: dict[str, str]) -> dict[str, str]:
    """What libraries may have read while they were loaded; a job that differs in it starts cold."""
    return {name: value for name, value in env.items() if name not in PER_RUN}
