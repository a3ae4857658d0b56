"""Transactions on both databases: nothing lost, nothing half done, what was committed survives a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from storage.database import Database
from storage.repositories.jobs import JobRepository
from storage.tables import Job, JobEvent, Project
from storage.types import now

WRITER = """
import sys
from storage.database import Database
from storage.tables import Project
database = Database(sys.argv[1])
for number in range(100000):
    with database.write() as session:
        session.add(Project(name=f"p{number}"))
    print(number, flush=True)
"""


def _together(count: int, call: Callable[[int], None]) -> None:
    errors: list[Exception] = []

    def run(number: int) -> None:
        try:
            call(number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_block_that_raises_leaves_nothing(stored: Database) -> None:
    with pytest.raises(ZeroDivisionError), stored.write() as session:
        session.add(Project(name="half"))
        session.flush()
        1 // 0  # noqa: B018
    with stored.read() as session:
        assert session.exec(select(Project)).all() == []


def test_what_a_read_block_changes_is_rolled_back(stored: Database) -> None:
    with stored.read() as session:
        session.add(Project(name="never"))
        session.flush()
    with stored.read() as session:
        assert session.exec(select(Project)).all() == []


def test_rows_stay_usable_after_their_session_ended(stored: Database) -> None:
    with stored.write() as session:
        made = Project(name="kept")
        session.add(made)
    assert made.name == "kept" and made.created_at.tzinfo is not None


def test_a_foreign_key_to_nothing_is_refused(stored: Database) -> None:
    with pytest.raises(IntegrityError), stored.write() as session:
        session.add(JobEvent(job_id="nothing", what="lost"))


def test_moments_come_back_as_the_same_moment_in_utc(stored: Database) -> None:
    cairo = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=timezone(timedelta(hours=2)))
    with stored.write() as session:
        session.add(Job(id="j", kind="k", created_at=cairo))
    with stored.read() as session:
        found = session.get(Job, "j")
    assert found is not None and found.created_at == cairo
    assert found.created_at.utcoffset() == UTC.utcoffset(None)


def test_json_comes_back_as_it_went_in(stored: Database) -> None:
    spec = {"text": "ünïcode \u2028 \U0001f600", "deep": [{"n": 1.5, "none": None}], "big": 2**53}
    with stored.write() as session:
        session.add(Job(id="j", kind="k", spec=spec))
    with stored.read() as session:
        found = session.get(Job, "j")
    assert found is not None and found.spec == spec


def test_fenced_writers_never_lose_an_update(stored: Database) -> None:
    """Eight threads move one row from attempt to attempt; each step is won by exactly one of them."""
    with stored.write() as session:
        session.add(Job(id="j", kind="k", status="running"))
    won: list[int] = []

    def race(_number: int) -> None:
        for attempt in range(20):
            with stored.write() as session:
                if JobRepository(session).fenced("j", attempt, ("running",), attempt=attempt + 1):
                    won.append(attempt)

    _together(8, race)
    assert sorted(won) == sorted(set(won)) and len(won) >= 1
    with stored.read() as session:
        job = session.get(Job, "j")
    assert job is not None and job.attempt == len(won)


def test_workers_that_claim_at_once_never_get_the_same_job(stored: Database) -> None:
    with stored.write() as session:
        session.add_all([Job(id=f"j{number:03d}", kind="k") for number in range(60)])
    claimed: list[str] = []

    def work(number: int) -> None:
        while True:
            with stored.write() as session:
                job = JobRepository(session).claim(f"host{number}", 0)
            if job is None:
                return
            claimed.append(job.id)

    _together(6, work)
    assert sorted(claimed) == [f"j{number:03d}" for number in range(60)]


def test_a_reader_sees_the_last_committed_state_while_somebody_writes(stored: Database) -> None:
    with stored.write() as session:
        session.add(Project(name="before"))
    with stored.write() as writer:
        writer.add(Project(name="during"))
        writer.flush()
        with stored.read() as reader:
            assert [each.name for each in reader.exec(select(Project))] == ["before"]


def test_what_a_killed_writer_had_committed_is_all_there(stored: Database) -> None:
    argv = [sys.executable, "-c", WRITER, stored.url]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(60)]
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += [int(line) for line in process.stdout if line.endswith("\n")]
    with stored.write() as session:
        names = {each.name for each in session.exec(select(Project))}
    assert {f"p{number}" for number in acknowledged} <= names
    assert len(names) <= len(acknowledged) + 1


def test_the_oldest_row_comes_first_and_counts_agree(stored: Database) -> None:
    moments = {"b": now(), "a": now() - timedelta(hours=1)}
    with stored.write() as session:
        session.add_all([Job(id=key, kind="k", created_at=at) for key, at in moments.items()])
        session.add(Job(id="c", kind="other"))
    with stored.read() as session:
        jobs = JobRepository(session)
        assert [job.id for job in jobs.find(kind="k")] == ["a", "b"]
        assert jobs.count(kind="k") == 2 and jobs.count() == 3
        assert jobs.find_one(kind="other") == jobs.get("c") and jobs.get("missing") is None
