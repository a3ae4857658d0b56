"""The warm process: loads the trainers once, then forks a shim and its job per request. Touches no GPU, has one thread.

Everything that a shim and a job promise is kept, because it is the shim's own code that runs in the fork; only the last
step differs: where it would execute Python anew, the forked Python goes on. Arguments: the worker's socket, the folder
of runs (for people who look), the modules to load.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from studio.jobs import shim
from studio.jobs.warm.display import show

LOOK_EVERY_S = 0.5
MESSAGE_LIMIT = 1 << 20
COOKIE = "STUDIO_RUN"


@dataclass(frozen=True)
class Request:
    """An attempt to start: what a shim is given, and the descriptors that came with it."""

    folder: str
    cwd: str
    argv: list[str]
    env: dict[str, str]
    lock: int
    complaints: int
    answer: int


def main(channel: socket.socket, modules: list[str]) -> int:
    """Load, say so, and serve until the worker is gone."""
    shim.prctl(shim.PR_SET_PDEATHSIG, signal.SIGKILL)
    load(modules)
    unsafe = why_unsafe()
    if unsafe:
        print(f"not warm: {unsafe}", flush=True)
        return 1
    gc.collect()
    gc.freeze()
    channel.send(b"warm")
    request = serve(channel)
    if request is None:
        return 0
    channel.close()
    start(request)


def load(modules: list[str]) -> None:
    """Import what jobs will need; what is not installed here is left to the job to complain about."""
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError as error:
            print(f"not loaded: {name}: {error}", flush=True)


def why_unsafe() -> str:
    """Why jobs must not be forked from this process, "" when they may."""
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        return f"{threads - 1} threads were started"
    if any(target.startswith("/dev/nvidia") for target in _open_files()):
        return "a GPU was touched"
    return "" if _can_be_found() else "forked processes cannot be told apart"


def serve(channel: socket.socket) -> Request | None:
    """Fork per request. Returns the request in the forked process, and None here once the worker is gone."""
    while True:
        readable, _, _ = select.select([channel], [], [], LOOK_EVERY_S)
        reap()
        if not readable:
            continue
        message, descriptors, _flags, _sender = socket.recv_fds(channel, MESSAGE_LIMIT, 3)
        if not message:
            return None
        sys.stdout.flush()
        if os.fork() == 0:
            lock, complaints, answer = descriptors
            return Request(**json.loads(message), lock=lock, complaints=complaints, answer=answer)
        for descriptor in descriptors:
            os.close(descriptor)


def reap() -> None:
    """Forget the shims that ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def start(request: Request) -> NoReturn:
    """In the fork: be the shim, once the worker has said go; without that word nothing happens."""
    os.setsid()
    os.chdir(request.cwd)
    show([sys.executable, shim.__file__, request.folder], COOKIE, request.env)
    for standard in (1, 2):
        os.dup2(request.complaints, standard)
    os.close(request.complaints)
    with socket.socket(fileno=request.answer) as answer:
        answer.send(b"ready")
        if answer.recv(2) != b"go":
            os._exit(0)
    be_shim(request)


def be_shim(request: Request) -> NoReturn:
    """Supervise as a shim does. The job's own process leaves this function as the exit of its handler."""
    own = os.getpid()
    try:
        shim.main(request.folder, request.lock, lambda: be_job(request))
    except BaseException:
        if os.getpid() != own:
            raise
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def be_job(request: Request) -> NoReturn:
    """What executing `python -m studio.run_job <job> <attempt>` would do, without loading anything."""
    show(request.argv, COOKIE, request.env)
    sys.argv = request.argv[2:]
    _draw_new_numbers()
    _python, _m, module, job_id, attempt = request.argv
    sys.exit(importlib.import_module(module).main(job_id, int(attempt)))


def _draw_new_numbers() -> None:
    """Python draws new random numbers after a fork by itself; NumPy would repeat its parent's."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def _open_files() -> list[str]:
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.append(os.readlink(entry))
    return found


def _can_be_found() -> bool:
    """Fork once and look whether the fork's cookie can be read where the worker will look for it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        shown = show(["trial"], COOKIE, {**os.environ, COOKIE: "trial"})
        os.write(writer, b"y" if shown else b"n")
        signal.pause()
    os.read(reader, 1)
    seen = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reader)
    os.close(writer)
    return f"{COOKIE}=trial".encode() in seen


if __name__ == "__main__":
    sys.exit(main(socket.socket(fileno=int(sys.argv[1])), sys.argv[3:]))
