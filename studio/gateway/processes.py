"""Several gateway processes on one port: the kernel spreads connections over them, and each uses one core."""

from __future__ import annotations

import ctypes
import logging
import signal
import subprocess
import sys
import threading

ONE_OF_SEVERAL = "--one-of-several"
LOOK_EVERY_S = 0.2
AGAIN_S = 1.0
END_S = 30.0
PR_SET_PDEATHSIG = 1

log = logging.getLogger(__name__)


def keep_running(count: int) -> None:
    """Run so many processes until SIGTERM or Ctrl-C; one that ends is started again."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    children = [_start() for _ in range(count)]
    while not stop.wait(LOOK_EVERY_S):
        children = [_replaced(child, stop) if child.poll() is not None else child for child in children]
    for child in children:
        child.terminate()
    for child in children:
        _wait(child)


def end_with_parent() -> None:
    """Let the kernel ask this process to stop should the one that keeps it be killed (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "studio.gateway", ONE_OF_SEVERAL])


def _replaced(child: subprocess.Popen[bytes], stop: threading.Event) -> subprocess.Popen[bytes]:
    log.error("A gateway process ended with status %s; another is started.", child.returncode)
    stop.wait(AGAIN_S)
    return _start()


def _wait(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(END_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
