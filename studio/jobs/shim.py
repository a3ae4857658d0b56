"""Supervises one attempt of one job and records its exit code durably. Run as a plain script, standard library only.

It inherits the run's lock as an open descriptor and passes it on, so "the lock is held" means "something of this run is
alive". It outlives the worker that started it. Arguments: attempt folder, lock descriptor, the job's argv as JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
BOOT_ID = "/proc/sys/kernel/random/boot_id"


def main(folder: str, lock: int, start: Callable[[], NoReturn]) -> int:
    """Start the job, remember it on disk before it runs its first line, wait for it, leave nothing behind."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        prepare(folder, lock, reader)
        start()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # not before the fork: a TERM to the child must never be ignored
    with suppress(OSError):  # the child does the same; whoever is first
        os.setpgid(child, child)
    write(folder, "proc.json", describe(child))
    os.write(writer, b"g")
    code = wait_for(child)
    kill_group(child)
    kill_orphans()
    write(folder, "exit.json", {"code": code, "at": time.time()})
    return 0


def prepare(folder: str, lock: int, reader: int) -> None:
    """In the child: wait until the shim has recorded us, and be ready to turn into the job."""
    os.setpgid(0, 0)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.read(reader, 1) != b"g":
        os._exit(97)  # the shim died before recording us
    os.close(reader)
    log = os.open(os.path.join(folder, "log.txt"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.set_inheritable(lock, True)


def execute(argv: list[str]) -> NoReturn:
    """In the child: become the job's program."""
    try:
        os.execvpe(argv[0], argv, os.environ)
    except OSError as error:
        os.write(2, f"cannot start {argv[0]}: {error}\n".encode())
        os._exit(127)


def wait_for(child: int) -> int:
    """Reap whatever ends until the job itself has; a negative code is the signal that killed it."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def kill_group(leader: int) -> None:
    """Kill what is left of the job's process group."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def kill_orphans() -> None:
    """Kill descendants that made sessions of their own: as subreaper every orphan is our child; repeat until none."""
    while children := own_children():
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(-1, 0)


def own_children() -> list[int]:
    """Direct children of this process, as Linux lists them."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as listing:
            return [int(pid) for pid in listing.read().split()]
    except FileNotFoundError:
        return []


def describe(child: int) -> dict[str, object]:
    """What a later worker needs to find this run again without mistaking another process for it."""
    boot = ""
    with suppress(FileNotFoundError), open(BOOT_ID) as stream:
        boot = stream.read().strip()
    return {"shim": os.getpid(), "group": child, "started": start_time(child), "boot": boot, "at": time.time()}


def start_time(pid: int) -> str:
    """Clock ticks after boot at which the process started; with the pid it names a process for good."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[19]
    except FileNotFoundError:
        return ""


def write(folder: str, name: str, facts: dict[str, object]) -> None:
    """Atomic and durable: temp, fsync, rename, fsync of the folder."""
    part = os.path.join(folder, f".{name}.{os.getpid()}")
    with open(part, "w") as stream:
        json.dump(facts, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(part, os.path.join(folder, name))
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def prctl(option: int, value: int) -> None:
    """Linux process control; elsewhere the worker's scan for left-over processes has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, int(value), 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), lambda: execute(json.loads(sys.argv[3]))))
