"""Whatever is killed or full or away: what was answered is found again exactly once, and callers are always served.

STUDIO_KILLS=200 kills that often, STUDIO_FULL_PROOF=1 keeps the database away for a minute.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlmodel import func, select

from storage.database import Database
from storage.tables import Feedback, LogEntry, LogHour, LogTag
from studio.capture.segments import DAMAGED
from studio.settings import Settings
from tests.integration.gateway.conftest import fill, find_port, make_settings, running_gateway

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("STUDIO_KILLS", "3"))
CALLERS = 4
TURNS = ("gateway", "recorder", "gateway")
PATIENCE_S = 120
LOG_ID = "x-whetstone-log-id"
UPSTREAM = Path(__file__).parents[2] / "fakes" / "fast_upstream.py"


@dataclass
class Heard:
    """What callers were told is taken."""

    calls: list[str] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.calls) + len(self.reports) + len(self.comments)


class Load:
    """Callers in threads: calls, reports and comments, each with something of its own to be found by."""

    def __init__(self, url: str, secret: str) -> None:
        self.url, self.headers = url, {"authorization": f"Bearer {secret}"}
        self.heard, self.stop = Heard(), threading.Event()
        self.threads = [threading.Thread(target=self._call, args=(number,)) for number in range(CALLERS)]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def _call(self, caller: int) -> None:
        number = 0
        with httpx.Client(base_url=self.url, headers=self.headers, timeout=60) as web:
            while not self.stop.is_set():
                number += 1
                try:
                    self._one(web, number, f"{caller}-{number}")
                except httpx.HTTPError:
                    self.stop.wait(0.02)  # the gateway is down, or went in the middle of an answer

    def _one(self, web: httpx.Client, number: int, name: str) -> None:
        ask = {"model": "up-ok", "messages": [{"role": "user", "content": name}], "metadata": {"name": name}}
        if number % 7 == 0 and self.heard.calls:
            said = {"uid": self.heard.calls[-1], "kind": "comment", "text": name}
            self._note(web.post("/v1/feedback", json=said), self.heard.comments, name)
        elif number % 5 == 0:
            answer = {"choices": [{"message": {"role": "assistant", "content": name}}]}
            reply = web.post("/v1/report", json={"request": ask, "response": answer})
            self._note(reply, self.heard.reports, reply.headers.get(LOG_ID, ""))
        else:
            reply = web.post("/v1/chat/completions", json=ask)
            self._note(reply, self.heard.calls, reply.headers.get(LOG_ID, ""))

    def _note(self, reply: httpx.Response, heard: list[str], what: str) -> None:
        if reply.status_code in (200, 202):
            heard.append(what)
        else:
            self.heard.refused[reply.status_code] += 1


@dataclass
class Place:
    settings: Settings
    database: Database
    secret: str


@pytest.fixture
def place(tmp_path: Path, database: Database, settings: Settings) -> Iterator[Place]:
    port = find_port()
    upstream = subprocess.Popen([sys.executable, str(UPSTREAM), str(port)])
    made = make_settings(settings.home, find_port())
    _, secret, _ = fill(database, made, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{find_port()}")
    yield Place(made, database, secret)
    upstream.terminate()
    upstream.wait()


@contextmanager
def running_recorder(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "STUDIO_HOME": str(settings.home)}
    process = subprocess.Popen([sys.executable, "-m", "studio.capture.drain"], env=environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def count(database: Database, query: Any) -> int:
    with database.read() as session:
        return int(session.exec(query).one() or 0)


@pytest.mark.timeout(300 + 30 * KILLS)
def test_what_was_answered_is_found_exactly_once_however_often_gateway_and_recorder_are_killed(place: Place) -> None:
    rng, kills = random.Random(6), Counter[str]()
    starts = {"gateway": running_gateway, "recorder": running_recorder}
    with ExitStack() as all_of_it:
        load = all_of_it.enter_context(Load(place.settings.gateway_url, place.secret))
        alive = {name: all_of_it.enter_context(start(place.settings)) for name, start in starts.items()}
        for number in range(KILLS):
            enough = len(load.heard) + rng.randint(1, 80)
            wait_until(lambda enough=enough: len(load.heard) >= enough, "nobody is answered")  # type: ignore[misc]
            name = TURNS[number % len(TURNS)]
            os.kill(alive[name].pid, signal.SIGKILL)
            alive[name].wait()
            kills[name] += 1
            alive[name] = all_of_it.enter_context(starts[name](place.settings))
        load.__exit__()
        expect_exactly_once(place, load.heard)
    print(f"\n{dict(kills)} killed; {len(load.heard.calls):,} calls, {len(load.heard.reports):,} reports and", end=" ")
    print(f"{len(load.heard.comments):,} comments answered, each found once; load {os.getloadavg()[0]:.1f}")


def expect_exactly_once(place: Place, heard: Heard) -> None:
    database, told = place.database, {*heard.calls, *heard.reports}
    assert len(told) == len(heard.calls) + len(heard.reports)

    def found() -> bool:
        with database.read() as session:
            comments = set(session.exec(select(Feedback.text)))
            return told <= set(session.exec(select(LogEntry.uid))) and set(heard.comments) <= comments

    wait_until(found, "something that was answered did not arrive")
    entries = count(database, select(func.count()).select_from(LogEntry))
    assert entries == count(database, select(func.sum(LogHour.calls)))
    assert entries == count(database, select(func.count()).select_from(LogTag).where(LogTag.name == "name"))
    assert entries == count(database, select(func.count(func.distinct(LogEntry.prompt_text))))
    assert len(heard.comments) == count(
        database,
        select(func.count()).select_from(Feedback).where(Feedback.text.in_(heard.comments)),  # type: ignore[union-attr]
    )
    with database.write() as session:
        session.execute(text("INSERT INTO log_search(log_search) VALUES ('integrity-check')"))
    assert not (place.settings.journal / DAMAGED).exists()


def test_a_full_disk_costs_records_that_are_counted_and_told_but_never_an_answer(place: Place) -> None:
    with running_gateway(place.settings) as gateway, Load(place.settings.gateway_url, place.secret) as load:
        web = httpx.Client(base_url=place.settings.gateway_url, timeout=60)
        wait_until(lambda: len(load.heard.calls) > 20, "nobody is answered")
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        answered = len(load.heard.calls)
        wait_until(lambda: web.get("/health").json()["not_recorded"] > 20, "the full disk was not noticed")
        wait_until(lambda: len(load.heard.calls) > answered + 20, "callers had to wait for the disk")
        told = web.get("/health").json()
        assert told["status"] == "ok" and not told["journal"]["recording"] and told["journal"]["why_not"]
        assert "whetstone_journal_refused_total" in web.get("/metrics").text
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_until(lambda: bool(web.get("/health").json()["journal"]["recording"]), "recording did not start again")
        web.close()
    assert set(load.heard.refused) <= {507}, "only what is nothing but a record may be refused"
