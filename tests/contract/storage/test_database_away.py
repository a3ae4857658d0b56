"""While the database is away the journal takes everything, and it arrives in order; STUDIO_FULL_PROOF=1: a minute."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import func, select

from storage.database import Database
from storage.migrate import migrate
from storage.tables import LogEntry, LogHour, Project
from studio.capture.drain import Drain
from studio.capture.journal import Journal
from studio.capture.record import Record
from tests.fakes.postgres import PostgresCluster, binaries
from tests.full_proof import times

AWAY_S = times(1, 60)
PATIENCE_S = 120
Away = Callable[[], Any]


@pytest.fixture
def on_sqlite(tmp_path: Path, migrated_file: Path) -> Iterator[tuple[Database, Away]]:
    shutil.copy(migrated_file, tmp_path / "studio.db")
    url = f"sqlite:///{tmp_path / 'studio.db'}"
    holder = Database(url)

    @contextmanager
    def away() -> Iterator[None]:
        with holder.write():  # somebody else holds the lock that writing needs
            yield

    yield Database(url), away
    holder.close()


@pytest.fixture
def on_postgres() -> Iterator[tuple[Database, Away]]:
    if (found := binaries()) is None:
        pytest.skip("PostgreSQL's initdb is NOT on this machine")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        cluster = PostgresCluster(found, probe.getsockname()[1])

    @contextmanager
    def away() -> Iterator[None]:
        cluster.crash()
        yield
        cluster.resume()

    try:
        cluster.start()
        url = cluster.url(cluster.new_database())
        migrate(url)
        yield Database(url), away
    finally:
        cluster.stop()


def call(project_id: str, number: int) -> bytes:
    meta = {"uid": f"u{number:08}", "at": 1.79e9, "project_id": project_id, "model": "m", "tags": {"n": str(number)}}
    request = {"messages": [{"role": "user", "content": str(number)}]}
    return Record(meta, json.dumps(request).encode(), b'{"choices":[{"message":{"content":"yes"}}]}').pack()


@contextmanager
def draining(database: Database, folder: Path) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=Drain(database, folder).run, args=(stop,))
    thread.start()
    yield
    stop.set()
    thread.join()


def wait_for(database: Database, number: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with database.read() as session:
            arrived = session.exec(select(func.count()).select_from(LogEntry)).one()
        if arrived == number:
            return
        assert time.monotonic() < deadline, f"{arrived} of {number} arrived"
        time.sleep(0.02)


@pytest.mark.parametrize("place", ["on_sqlite", "on_postgres"])
def test_nothing_is_lost_and_the_order_kept(place: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    database, away = request.getfixturevalue(place)
    with database.write() as session:
        project = Project(name="support")
        session.add(project)
    journal, written = Journal(tmp_path / "journal", segment_bytes=20_000), 0

    def append_for(seconds: float, at_least: int) -> None:
        nonlocal written
        end, least = time.monotonic() + seconds, written + at_least
        while time.monotonic() < end or written < least:
            assert journal.append(call(project.id, written))
            written += 1
            journal.sync()
            time.sleep(0.001)

    with draining(database, journal.folder):
        append_for(0, 100)
        wait_for(database, written)
        with away():
            append_for(AWAY_S, 200)
        append_for(0, 100)
        journal.close()
        wait_for(database, written)
    with database.read() as session:
        assert [int(text) for text in session.exec(select(LogEntry.prompt_text).order_by(LogEntry.id))] == list(  # type: ignore[arg-type]
            range(written)
        )
        assert session.exec(select(func.sum(LogHour.calls))).one() == written
    database.close()
    print(f"\n{written:,} calls, the database was away for {AWAY_S} s")
