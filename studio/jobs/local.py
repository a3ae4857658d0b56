"""The local worker: claims jobs, starts a shim for each, adopts what a killed worker left, cancels, finalizes.

Proven shape: what is alive is told by locks, not by process numbers; what ended is told by files that were written
atomically; every write to a job's row is fenced by its attempt. So a worker may be killed at any line.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from datetime import datetime, timedelta
from pathlib import Path

from storage.artifacts import write_atomically
from storage.database import Database
from storage.repositories.jobs import ACTIVE, JobRepository
from storage.tables import Job
from storage.types import new_id, now
from studio.errors import Conflict
from studio.jobs import processes
from studio.jobs.catalog import LONG
from studio.jobs.folders import RunFolder
from studio.jobs.launch import RUN_COOKIE, Shim, environment, launch, why_not
from studio.jobs.locks import take_lock
from studio.jobs.logs import keep_within_bounds
from studio.jobs.ordering import settle
from studio.jobs.outcome import TOO_BIG, judge, too_big
from studio.jobs.warm.client import WarmStart
from studio.settings import Settings

GRACE_S = 20.0
HEARTBEAT_S = 5.0
ABANDONED_AFTER = timedelta(minutes=2)


class LocalWorker:
    """Runs jobs on this host. One per data folder, enforced by a lock, so GPU slots need no cross-process protocol."""

    def __init__(
        self, settings: Settings, database: Database, grace_s: float = GRACE_S, warm: WarmStart | None = None
    ) -> None:
        self.settings, self.database, self.grace = settings, database, timedelta(seconds=grace_s)
        self._warm = warm or WarmStart(settings)
        self._lock = _only_worker(settings.runs)
        self.host = _host_name(settings.runs)
        self._shims: list[Shim] = []
        self._asked: set[tuple[str, int]] = set()
        self._shim_died: dict[tuple[str, int], datetime] = {}
        self._last_beat = 0.0

    def close(self) -> None:
        """Let another worker take over; running jobs go on and are adopted."""
        self._warm.close()
        os.close(self._lock)

    def tick(self) -> None:
        """Look after every job of this host once, then start what fits."""
        mine = self._mine()
        for job in mine:
            self._look_after(job)
        self._warm.look(is_needed=any(job.kind in self._warm.kinds for job in mine))
        self._beat(mine)
        self._settle_the_queue()
        while self._start_next():
            pass
        self._shims = [shim for shim in self._shims if shim.poll() is None]

    def stop_all(self) -> None:
        """Ask every running job to stop, then make it; they go back to the queue and resume with the next worker."""
        deadline = now() + self.grace
        while jobs := self._mine():
            for job in jobs:
                self._stop(job, by_force=now() > deadline)
                self._look_after(job)
            time.sleep(0.05)

    def _stop(self, job: Job, by_force: bool) -> None:
        RunFolder.of(self.settings.runs, job.id).mark_stopped(job.attempt)
        self._ask(job)
        if by_force:
            self._kill(job)

    def _mine(self) -> list[Job]:
        with self.database.read() as session:
            return JobRepository(session).active_on(self.host)

    def _look_after(self, job: Job) -> None:
        run = RunFolder.of(self.settings.runs, job.id)
        if not run.is_alive():
            self._finish(job, run)
        elif run.exit(job.attempt):
            self._kill(job)  # it ended, yet a straggler still holds the lock
        else:
            self._supervise(job, run)

    def _supervise(self, job: Job, run: RunFolder) -> None:
        record = run.process(job.attempt)
        if job.cancel_requested:
            self._cancel(job)
        elif job.status == "starting" and record:
            self._fenced(job, "running", status="running")
        if record and not processes.is_alive(record["shim"]):
            self._outlive_shim(job)

    def _cancel(self, job: Job) -> None:
        if job.status != "cancelling":
            self._fenced(job, "cancelling", status="cancelling", cancel_at=now())
        elif now() - (job.cancel_at or now()) > self.grace:
            self._kill(job)
        self._ask(job)

    def _ask(self, job: Job) -> None:
        """Send TERM once, as soon as there is a process to send it to."""
        key = (job.id, job.attempt)
        if key not in self._asked and RunFolder.of(self.settings.runs, job.id).process(job.attempt):
            self._signal(job, signal.SIGTERM)
            self._asked.add(key)

    def _outlive_shim(self, job: Job) -> None:
        """The shim was killed, so the job got TERM by itself; nobody can reap it, so end it after the grace."""
        died = self._shim_died.setdefault((job.id, job.attempt), now())
        if now() - died > self.grace:
            self._kill(job)

    def _finish(self, job: Job, run: RunFolder) -> None:
        hidden = processes.with_cookie(RUN_COOKIE, job.id)
        if hidden:  # they closed the lock's descriptor; nothing of a run may outlive it
            processes.kill(hidden)
            return
        outcome = judge(job, run)
        self._fenced(job, outcome.what, **outcome.values)
        self._shim_died.pop((job.id, job.attempt), None)
        self._asked.discard((job.id, job.attempt))

    def _signal(self, job: Job, number: signal.Signals) -> None:
        run = RunFolder.of(self.settings.runs, job.id)
        record = run.process(job.attempt)
        if record and run.is_alive():
            processes.signal_group(record["group"], record["started"], number)

    def _kill(self, job: Job) -> None:
        self._signal(job, signal.SIGKILL)
        run = RunFolder.of(self.settings.runs, job.id)
        record = run.process(job.attempt)
        if record is None or not processes.is_alive(record["shim"]):
            processes.kill(processes.with_cookie(RUN_COOKIE, job.id))

    def _start_next(self) -> bool:
        running = self._mine()
        gpus, without = self._free_gpus(running), self._not_now(running)
        if len(running) >= self.settings.worker_slots:
            return False
        kind = self._next_kind(len(gpus), without)
        if kind is None:
            return False
        without |= self._warm.held_back(kind, environment(Job(kind=kind), self.settings, []))
        with self.database.write() as session:
            job = JobRepository(session).claim(self.host, len(gpus), self.settings.worker_gpus, without)
        if job:
            self._launch(job, gpus[: job.gpus])
        return job is not None

    def _next_kind(self, free_gpus: int, without: frozenset[str]) -> str | None:
        with self.database.read() as session:
            return JobRepository(session).next_kind(free_gpus, self.settings.worker_gpus, without)

    def _not_now(self, running: list[Job]) -> frozenset[str]:
        """Long jobs leave one slot free, unless there is only one."""
        long = sum(job.kind in LONG for job in running)
        return LONG if long >= max(1, self.settings.worker_slots - 1) else frozenset()

    def _settle_the_queue(self) -> None:
        """Jobs that can never start are told so: what they wait for stopped short, or no machine has their GPUs."""
        with self.database.read() as session:
            jobs = JobRepository(session)
            big = jobs.too_big(self.settings.worker_gpus)
            hopeless = [job for job in big if not job.progress_text.startswith(TOO_BIG)]
            if not hopeless and not jobs.stranded():
                return
        with self.database.write() as session:
            jobs = JobRepository(session)
            settle(jobs)
            for job in hopeless:
                values = too_big(job, self.settings.worker_gpus, alone=self.database.is_sqlite)
                jobs.fenced(job.id, job.attempt, ("queued",), "wants more GPUs than there are", **values)

    def _launch(self, job: Job, gpus: list[int]) -> None:
        try:
            shim = launch(job, self.settings, gpus, self._warm)
        except OSError as error:
            self._fenced(job, f"not started: {error}", status="failed", error=why_not(error), finished_at=now())
            return
        if shim is None:  # something of an attempt that was given up still lives; the next tick tries again
            processes.kill(processes.with_cookie(RUN_COOKIE, job.id))
        else:
            self._shims.append(shim)

    def _free_gpus(self, running: list[Job]) -> list[int]:
        taken: set[int] = set()
        for job in running:
            taken |= RunFolder.of(self.settings.runs, job.id).gpus(job.attempt)
        return [gpu for gpu in range(self.settings.worker_gpus) if gpu not in taken]

    def _beat(self, running: list[Job]) -> None:
        if time.monotonic() - self._last_beat < HEARTBEAT_S:
            return
        self._last_beat = time.monotonic()
        for job in running:
            keep_within_bounds(RunFolder.of(self.settings.runs, job.id).attempt(job.attempt))
        with self.database.write() as session:
            jobs = JobRepository(session)
            jobs.beat(self.host, now())
            for job in jobs.abandoned(self.host, now() - ABANDONED_AFTER):
                jobs.fenced(job.id, job.attempt, ACTIVE, "abandoned", **_abandoned(job))

    def _fenced(self, job: Job, what: str, **values: object) -> bool:
        with self.database.write() as session:
            return JobRepository(session).fenced(job.id, job.attempt, ACTIVE, what, **values)


def is_worker_running(settings: Settings) -> bool:
    """Whether a worker serves this data folder."""
    descriptor = take_lock(settings.runs / "worker.lock")
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None


def _only_worker(runs: Path) -> int:
    for _try in range(5):  # somebody may just be asking whether a worker runs
        descriptor = take_lock(runs / "worker.lock")
        if descriptor is not None:
            return descriptor
        time.sleep(0.1)
    raise Conflict(
        "Another worker already serves this data folder. Stop it first, or give this one its own STUDIO_HOME."
    )


def _host_name(runs: Path) -> str:
    """A name that stays with the folder of runs: a container that is made again adopts its own jobs."""
    path = runs / "host.txt"
    if not path.exists():
        write_atomically(path, f"{socket.gethostname()}-{new_id()[-4:]}".encode())
    return path.read_text()


def _abandoned(job: Job) -> dict[str, object]:
    sentence = (
        f"The worker on {job.host} has not been heard of for {ABANDONED_AFTER.total_seconds():.0f} s. "
        "Make sure that machine is off, then press Retry: another worker goes on from the last saved state it can see."
    )
    return {"status": "failed", "error": sentence, "finished_at": now()}
