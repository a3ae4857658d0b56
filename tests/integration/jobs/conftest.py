"""A host for jobs: a data folder, the test kinds on its path, and a real worker process that can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from storage.tables import Job
from studio.access.actor import Actor
from studio.jobs.folders import RunFolder
from studio.jobs.local import LocalWorker
from studio.jobs.queue import Jobs
from studio.settings import Settings
from tests.fakes import job_kinds

REPOSITORY = Path(__file__).parents[3]
OPERATOR = Actor.operator()


class Host:
    """What a test does to a machine that runs jobs."""

    def __init__(self, settings: Settings, database: Database, kinds: Path) -> None:
        self.settings, self.database, self.jobs = settings, database, Jobs(database)
        path = os.pathsep.join([str(kinds), str(REPOSITORY)])
        self.env = {**os.environ, **settings.environment(), "PYTHONPATH": path}
        self.log = settings.root / "worker.log"
        self.worker: subprocess.Popen[bytes] | None = None

    def start_worker(self, *module: str) -> None:
        with self.log.open("ab") as log:
            argv = [sys.executable, "-m", *(module or ("tests.fakes.jobs_worker",))]
            self.worker = subprocess.Popen(argv, env=self.env, stdout=log, stderr=log, cwd="/", start_new_session=True)

    def kill_worker(self) -> None:
        if self.worker is not None:
            self.worker.kill()
            self.worker.wait()

    def stop_worker(self) -> int:
        assert self.worker is not None
        self.worker.terminate()
        return self.worker.wait(90)

    def put(self, kind: str = "test_steps", **spec: Any) -> Job:
        return self.jobs.submit(OPERATOR, kind, spec, title=kind)

    def until(self, what: Callable[[], object], seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, (
                f"still not after {seconds} s; worker's log:\n{self.log.read_text() if self.log.exists() else ''}"
            )
            time.sleep(0.02)

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def reaches(self, job: Job, status: str, seconds: float = 90) -> Job:
        self.until(lambda: self.jobs.get(job.id).status == status, seconds)
        return self.jobs.get(job.id)

    def starts(self, job: Job, times: int = 1) -> None:
        """Wait until the handler has begun this many times."""
        self.until(lambda: len(self.lines(job, "starts")) >= times)

    def folder(self, job: Job) -> RunFolder:
        return RunFolder.of(self.settings.runs, job.id)

    def lines(self, job: Job, name: str) -> list[int]:
        path = self.folder(job).work / name
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def history(self, job: Job) -> list[str]:
        return [event.what for event in self.jobs.history(job.id)]

    def processes(self) -> dict[int, str]:
        """Every live process of any run of this host, and what it is: shim, job or grandchild."""
        found = {}
        home = f"STUDIO_HOME={self.settings.root}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                env, line = (entry / "environ").read_bytes().split(b"\0"), (entry / "cmdline").read_bytes()
                if line and home in env and any(pair.startswith(b"STUDIO_RUN=") for pair in env):
                    found[int(entry.name)] = _role(line)
        return found

    def warm_processes(self) -> list[int]:
        """The processes that jobs of this host are forked from."""
        runs, found = os.fsencode(self.settings.runs), []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                line = (entry / "cmdline").read_bytes()
                if b"studio.jobs.warm.server" in line and runs in line:
                    found.append(int(entry.name))
        return found

    def clean_up(self) -> None:
        self.kill_worker()
        while left := self.processes():
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)


def parent(pid: int) -> int:
    """The process that started this one, 0 when it is gone."""
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    return 0


def _role(command_line: bytes) -> str:
    if b"shim.py" in command_line:
        return "shim"
    return "job" if b"studio.run_job" in command_line else "grandchild"


@pytest.fixture
def host(settings: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    made = Host(settings, database, job_kinds.install(tmp_path / "kinds"))
    monkeypatch.setenv("PYTHONPATH", made.env["PYTHONPATH"])  # for workers inside the test's own process
    yield made
    made.clean_up()


@pytest.fixture
def worked(host: Host) -> Iterator[Host]:
    """A host whose worker is a thread of the test: quicker where nobody kills the worker."""
    worker, stop = LocalWorker(host.settings, host.database, grace_s=6.0), threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            worker.tick()

    thread = threading.Thread(target=work)
    thread.start()
    yield host
    stop.set()
    thread.join()
    worker.close()
