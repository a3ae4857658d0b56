"""The SQLite settings that keep concurrent writers from losing each other's changes."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from storage.database import Database, make_engine
from storage.tables import Job
from storage.types import new_id


def _pragma(session: Session, name: str) -> object:
    return session.connection().execute(text(f"PRAGMA {name}")).scalar()


def test_every_connection_has_the_measured_settings(database: Database) -> None:
    with database.read() as session:
        found = {
            name: _pragma(session, name) for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 30000, "foreign_keys": 1}


def test_migrations_get_an_engine_without_foreign_keys(database: Database) -> None:
    engine = make_engine(database.url, foreign_keys=False)
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 0
    engine.dispose()


def test_read_then_write_in_one_block_loses_no_update(database: Database) -> None:
    with database.write() as session:
        session.add(Job(id="counter", kind="k"))

    def count() -> None:
        for _ in range(25):
            with database.write() as session:
                job = session.get(Job, "counter")
                assert job is not None
                time.sleep(0.0005)
                job.priority += 1

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        job = session.get(Job, "counter")
    assert job is not None and job.priority == 100


def test_a_write_block_takes_the_lock_with_its_first_read(database: Database) -> None:
    impatient = make_engine(database.url)
    with impatient.connect() as other, database.write() as writer:
        other.execute(text("PRAGMA busy_timeout=10"))
        other.rollback()
        assert writer.get(Job, "nothing") is None
        with pytest.raises(OperationalError, match="locked"):
            other.execute(text("SELECT 1"))
    impatient.dispose()


def test_a_read_block_never_waits_for_a_writer(database: Database) -> None:
    with database.write() as writer:
        writer.add(Job(id="new", kind="k"))
        writer.flush()
        began = time.monotonic()
        with database.read() as reader:
            assert reader.get(Job, "new") is None
    assert time.monotonic() - began < 20  # a reader that waited would do so for half a minute


def test_ids_sort_by_the_time_they_were_made() -> None:
    early = [new_id() for _ in range(50)]
    time.sleep(0.003)
    late = [new_id() for _ in range(50)]
    assert max(early) < min(late) and len(set(early + late)) == 100


@pytest.mark.parametrize("url", ["postgres://u@h/d", "postgresql://u@h/d", "postgresql+psycopg://u@h/d"])
def test_any_spelling_of_a_postgresql_url_uses_the_driver_we_ship(url: str) -> None:
    engine = make_engine(url)
    assert engine.driver == "psycopg" and engine.url.host == "h"
