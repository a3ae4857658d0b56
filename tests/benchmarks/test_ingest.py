"""How fast the recorder brings the journal into the database: rows with text index, tags and roll-up, and their size.

Short calls (30 words asked, 15 answered, under a system prompt of 40) and usual ones of 2.8 kB (60 and 40 under 150),
words drawn from 20,000 as languages draw them. Processor time is told beside the wall clock, for a busy machine.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from sqlmodel import func, select, text

from storage.database import Database
from storage.tables import LogEntry, LogHour, LogTag, Project
from storage.types import new_id
from studio.capture.batch import collect_rarely
from studio.capture.drain import Drain, make_bulky
from studio.capture.journal import Journal
from studio.capture.record import Record
from tests.contract.storage.conftest import Backend, Postgres, backend, postgres

__all__ = ["backend", "postgres"]

CALLS = int(os.environ.get("STUDIO_INGEST_CALLS", "100000"))
WARM_UP = 8_000
SIZES = {"short": (40, 30, 15), "usual": (150, 60, 40)}


class Words:
    """Text in which few words are frequent and most are rare."""

    def __init__(self) -> None:
        self.rng = random.Random(7)
        letters = "abcdefghijklmnopqrstuvwxyz"
        self.known = ["".join(self.rng.choices(letters, k=self.rng.randint(2, 10))) for _ in range(20_000)]
        self.weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(len(self.known))))

    def text(self, number: int) -> str:
        return " ".join(self.rng.choices(self.known, cum_weights=self.weights, k=number))


def calls(project_id: str, words: Words, system: int, asked: int, answered: int, number: int) -> Iterator[bytes]:
    told = {"role": "system", "content": words.text(system)}
    for place in range(number):
        request = {
            "model": "triage",
            "messages": [told, {"role": "user", "content": words.text(asked)}],
            "temperature": 0.2,
            "metadata": {"run": str(place % 50), "customer": f"c{words.rng.randint(0, 5000)}"},
        }
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": words.text(answered)},
            "finish_reason": "stop",
        }
        usage = {"prompt_tokens": 200, "completion_tokens": 60}
        reply = {"id": f"chatcmpl-{new_id()}", "model": "gpt-4o-mini", "choices": [choice], "usage": usage}
        meta = {"uid": new_id(), "at": 1.79e9 + place, "project_id": project_id, "model": "triage", "status": "ok"}
        more = {"tags": {"env": "prod"}, "latency_ms": 500.0, "prices": {"prompt": 0.15, "completion": 0.6}}
        yield Record(meta | more, json.dumps(request).encode(), json.dumps(reply).encode()).pack()


@dataclass
class Spent:
    """Processor seconds of the recorder, its helper, and PostgreSQL."""

    recorder: float
    helper: float
    server: float

    @classmethod
    def now(cls, drain: Drain, backend: Backend) -> Spent:
        helper = psutil.Process(drain._reader._process.pid).cpu_times() if drain._reader else None
        folder = str(backend.cluster.folder) if isinstance(backend, Postgres) else "/no server"
        running = psutil.process_iter(["name", "cwd"])
        servers = [each.cpu_times() for each in running if str(each.info["cwd"]).startswith(folder)]
        spent = sum(times.user + times.system for times in servers)
        return cls(time.process_time(), helper.user + helper.system if helper else 0.0, spent)

    def since(self, before: Spent, number: int) -> str:
        parts = {name: (getattr(self, name) - getattr(before, name)) / number * 1e6 for name in vars(self)}
        return ", ".join(f"{name} {spent:.0f} µs" for name, spent in parts.items() if spent > 0)


@pytest.mark.parametrize("size", SIZES)
def test_bulk_ingestion(backend: Backend, tmp_path: Path, size: str) -> None:
    database = Database(backend.migrated())
    make_bulky(database)
    collect_rarely()
    with database.write() as session:
        project = Project(name="support")
        session.add(project)
    journal, words = Journal(tmp_path / "journal"), Words()
    for payload in calls(project.id, words, *SIZES[size], WARM_UP):
        journal.append(payload)
    drain = Drain(database, journal.folder)
    assert drain.sweep() == WARM_UP  # the helper has started, the caches are warm
    for payload in calls(project.id, words, *SIZES[size], CALLS):
        journal.append(payload)
    bytes_each = sum(each.stat().st_size for each in journal.folder.glob("*.journal")) / (CALLS + WARM_UP)
    before, started = Spent.now(drain, backend), time.perf_counter()
    taken = drain.sweep()
    took, spent = time.perf_counter() - started, Spent.now(drain, backend).since(before, CALLS)
    drain.rest()
    journal.close()
    with database.read() as session:
        rows = session.exec(select(func.count()).select_from(LogEntry)).one()
        tags = session.exec(select(func.count()).select_from(LogTag)).one()
        assert (taken, rows, tags) == (CALLS, CALLS + WARM_UP, 3 * rows)
        assert session.exec(select(func.sum(LogHour.calls))).one() == rows
    print(f"\n{backend.name}, {size} calls of {bytes_each:,.0f} bytes: {CALLS / took:,.0f} rows/s", end="")
    print(f" ({spent} a call); {size_on_disk(database) / rows:,.0f} bytes a log; load {os.getloadavg()[0]:.1f}")
    database.close()


def size_on_disk(database: Database) -> int:
    """Bytes of all tables and indexes."""
    pages = "(SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)"
    query = f"SELECT {pages}" if database.is_sqlite else "SELECT pg_database_size(current_database())"
    with database.read() as session:
        return int(session.execute(text(query)).scalar_one())
