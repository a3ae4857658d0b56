"""Random kills of worker, shim, job, grandchild, warm process or all at once: nothing lost, doubled, stuck or left."""

from __future__ import annotations

import collections
import json
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from storage.database import Database
from storage.repositories.jobs import OPEN
from storage.tables import Job
from studio.settings import Settings
from tests.fakes import job_kinds
from tests.full_proof import times
from tests.integration.jobs.conftest import Host, parent

KILLS = {
    start: int(os.environ.get("CHAOS_KILLS", few))
    for start, few in {"cold": times(8, 30), "warm": times(8, 30)}.items()
}
TARGETS = {"worker": 3, "shim": 4, "job": 5, "grandchild": 2, "worker and shim": 1, "everything": 1, "warm process": 3}
WITH_WORKER = ("worker", "worker and shim", "everything")


@pytest.fixture(params=["cold", "warm"])
def start(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def busy_host(settings: Settings, database: Database, tmp_path: Path, start: str) -> Iterator[Host]:
    four_slots = Settings(home=settings.home, worker_slots=4, worker_gpus=2 if start == "cold" else 0)
    made = Host(four_slots, database, job_kinds.install(tmp_path / "kinds"))
    yield made
    made.clean_up()


class Chaos:
    """Kills something of the host at random, and keeps it supplied with jobs."""

    def __init__(self, host: Host, seed: int, start: str) -> None:
        self.host, self.random, self.start = host, random.Random(seed), start
        self.kills: collections.Counter[str] = collections.Counter()
        self.workers = 0
        self.forked: set[int] = set()

    def feed(self, count: int) -> None:
        spec = {"n": 60, "pause": 0.02}
        with self.host.database.write() as session:
            for number in range(count):
                odd = {"stubborn": number % 5 == 4, "hide": number % 2 == 0}
                job = Job(
                    kind="test_steps",
                    title="steps",
                    spec={**spec, **odd},
                    gpus=number % 3 % 2 if self.start == "cold" else 0,
                )
                job.max_interruptions = 1000
                session.add(job)

    def bide(self) -> None:
        """Wait a while; mostly until some job is past its imports, so that kills meet jobs at every stage."""
        if self.random.random() < 0.5:
            while self.pending() and "grandchild" not in self.host.processes().values():
                time.sleep(0.15)
        time.sleep(self.random.uniform(0.0, 1.2))

    def strike(self) -> None:
        """Kill one of the things there are; a worker only once it has begun to work."""
        victims = self._victims()
        if not victims:
            return
        what = self.random.choices(list(victims), [TARGETS[each] for each in victims])[0]
        if what in WITH_WORKER:
            self.host.kill_worker()
        for pid in victims[what]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if what in WITH_WORKER:
            self.start_worker()
        self.kills[what] += 1

    def start_worker(self) -> None:
        self.host.start_worker("tests.fakes.jobs_worker", self.start)
        self.workers += 1

    def _victims(self) -> dict[str, list[int]]:
        found = self.host.processes()
        by_role = {role: [pid for pid, each in found.items() if each == role] for role in ("shim", "job", "grandchild")}
        victims = {role: [self.random.choice(pids)] for role, pids in by_role.items() if pids}
        if warm := self.host.warm_processes():
            victims["warm process"] = warm
            self.forked |= {pid for pid in by_role["shim"] if parent(pid) in warm}
        if self.host.log.read_text().count("worker up") == self.workers:
            victims["worker"] = []
            if by_role["shim"]:
                victims["worker and shim"], victims["everything"] = victims["shim"], list(found)
        return victims

    def pending(self) -> int:
        return len(self.host.jobs.active(None))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_random_kills_lose_nothing(busy_host: Host, capsys: pytest.CaptureFixture[str], start: str) -> None:
    began = time.monotonic()
    chaos = Chaos(busy_host, int(os.environ.get("CHAOS_SEED", "21")), start)
    chaos.feed(12)
    chaos.start_worker()
    while chaos.kills.total() < KILLS[start]:
        chaos.bide()
        chaos.strike()
        if chaos.pending() < 3:
            chaos.feed(4)
    busy_host.until(lambda: chaos.pending() == 0, 120)
    counts = tally(busy_host, chaos)
    with capsys.disabled():
        print(f"\nchaos, {start}, {time.monotonic() - began:.0f} s: {json.dumps(counts)}")
    assert counts["status"] == {"succeeded": counts["jobs"]}
    for bad in ("lost", "doubled", "stuck", "left over"):
        assert counts[bad] == 0, counts
    assert bool(chaos.forked) is (start == "warm") and busy_host.stop_worker() == 0
    assert busy_host.warm_processes() == [] and "Traceback" not in busy_host.log.read_text()


def tally(host: Host, chaos: Chaos) -> dict[str, object]:
    """What became of every job, told by the marks the jobs themselves left in their folders."""
    jobs = host.jobs.recent(None, 10_000)
    starts = {job.id: host.lines(job, "starts") for job in jobs}
    completions = {job.id: host.lines(job, "completions") for job in jobs}
    return {
        "kills": dict(chaos.kills),
        "jobs": len(jobs),
        "attempts": sum(job.attempt for job in jobs),
        "resumed part-way": sum(first > 0 for each in starts.values() for first in each),
        "status": dict(collections.Counter(job.status for job in jobs)),
        "lost": sum(job.status == "succeeded" and not completions[job.id] for job in jobs),
        "doubled": sum(bool(host.lines(job, "violations")) for job in jobs),
        "finished twice": sum(len(each) > 1 for each in completions.values()),
        "stuck": sum(job.status in OPEN for job in jobs),
        "seen forked": len(chaos.forked),
        "left over": len(host.processes()),
    }
