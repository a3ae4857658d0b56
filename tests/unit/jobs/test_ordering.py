"""What goes first: moving, priorities, tonight, stages of a chain, and slots that long jobs leave free."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from storage.database import Database
from storage.repositories.jobs import JobRepository
from storage.tables import Job, Project
from storage.types import now
from studio.access.actor import Actor
from studio.errors import Conflict, InvalidInput, NotAllowed, NotFound
from studio.jobs.local import LocalWorker
from studio.jobs.ordering import next_tonight
from studio.jobs.queue import Jobs
from studio.settings import Settings

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database)


@pytest.fixture
def worker(settings: Settings, database: Database) -> Iterator[LocalWorker]:
    made = LocalWorker(settings, database)
    yield made
    made.close()


def _put(database: Database, *names: str, **columns: object) -> None:
    for name in names:
        with database.write() as session:
            minute = BEGAN + timedelta(minutes=len(session.exec(select(Job)).all()))
            session.add(Job.model_validate({"id": name, "kind": "train", "title": name, "order_at": minute, **columns}))


def _set(database: Database, key: str, **columns: object) -> None:
    with database.write() as session:
        job = session.get_one(Job, key)
        for name, value in columns.items():
            setattr(job, name, value)


def _queue(jobs: Jobs) -> str:
    return "".join(job.id for job in jobs.queue())


def _taken(jobs: Jobs, database: Database) -> str:
    """The order in which a single slot really takes the jobs, each succeeding before the next."""
    order = ""
    while True:
        with database.write() as session:
            job = JobRepository(session).claim("here", 9)
            if job is None:
                return order
            job.status = "succeeded"
            order += job.id


@pytest.mark.parametrize(
    ("move", "expected"),
    [("bup", "bacd"), ("bdown", "acbd"), ("cfirst", "cabd"), ("alast", "bcda"), ("aup", "abcd"), ("dlast", "abcd")],
)
def test_a_job_moves_and_a_worker_follows(
    jobs: Jobs, database: Database, editor: Actor, move: str, expected: str
) -> None:
    _put(database, *"abcd")
    jobs.move(editor, move[0], move[1:])  # type: ignore[arg-type]
    assert _queue(jobs) == expected and _taken(jobs, database) == expected


def test_moving_past_another_priority_takes_it_on(jobs: Jobs, database: Database, editor: Actor) -> None:
    _put(database, *"ab")
    _put(database, "u", priority=5)
    assert _queue(jobs) == "uab"
    assert jobs.move(editor, "b", "first").priority == 5 and _queue(jobs) == "bua"
    assert jobs.move(editor, "b", "last").priority == 0 and _queue(jobs) == "uab"


def test_jobs_of_the_very_same_moment_can_be_moved_too(jobs: Jobs, database: Database, editor: Actor) -> None:
    _put(database, *"abcd", order_at=BEGAN)
    jobs.move(editor, "c", "up")
    jobs.move(editor, "a", "down")
    assert _queue(jobs) == "cabd" == _taken(jobs, database)


def test_any_moves_in_any_order_leave_everybody_else_in_turn(jobs: Jobs, database: Database, operator: Actor) -> None:
    _put(database, *"abcde")
    wanted = list("abcde")
    for key, where in zip("eabcdaeb", ("first", "down", "last", "up", "first", "up", "down", "last"), strict=True):
        jobs.move(operator, key, where)  # type: ignore[arg-type]
        at = wanted.index(key)
        to = {"up": max(at - 1, 0), "down": min(at + 1, 4), "first": 0, "last": 4}[where]
        wanted.insert(to, wanted.pop(at))
        assert _queue(jobs) == "".join(wanted)
    assert _taken(jobs, database) == "".join(wanted)


def test_a_priority_puts_a_job_in_front(jobs: Jobs, database: Database, editor: Actor) -> None:
    _put(database, *"abc")
    assert jobs.prioritise(editor, "c", 3).priority == 3
    assert _queue(jobs) == "cab" and [jobs.ahead_of(jobs.get(key)) for key in "abc"] == [1, 2, 0]
    with pytest.raises(InvalidInput, match="-100 to 100"):
        jobs.prioritise(editor, "c", 1000)


def test_a_job_put_off_goes_behind_those_that_may_start(jobs: Jobs, database: Database, editor: Actor) -> None:
    _put(database, *"abc")
    jobs.postpone(editor, "a", now() + timedelta(hours=2))
    jobs.postpone(editor, "b", now() + timedelta(hours=1))
    assert _queue(jobs) == "cba" and jobs.ahead_of(jobs.get("a")) == 2
    assert jobs.move(editor, "a", "first").not_before is not None and _queue(jobs) == "cba"
    jobs.postpone(editor, "a", None)
    assert _queue(jobs) == "acb" and _taken(jobs, database) == "ac"
    with pytest.raises(InvalidInput, match="time zone"):
        jobs.postpone(editor, "b", datetime(2026, 1, 1))


def test_the_stages_of_a_chain_are_shown_in_turn(jobs: Jobs, database: Database) -> None:
    _put(database, "c", after_job_id="b")
    _put(database, "b", after_job_id="a")
    _put(database, "a", "z")
    assert _queue(jobs) == "abcz" == _taken(jobs, database)


def test_the_queue_of_a_project_counts_everybody_in_front(jobs: Jobs, database: Database, project: Project) -> None:
    _put(database, "a")
    _put(database, "b", project_id=project.id)
    mine = jobs.queue(project.id)
    assert [job.id for job in mine] == ["b"] and jobs.ahead_of(mine[0]) == 1
    _set(database, "b", status="running")
    assert jobs.ahead_of(jobs.get("b")) == 0


def test_only_a_waiting_job_has_a_place(jobs: Jobs, database: Database, operator: Actor) -> None:
    _put(database, "r", status="running")
    for change in (
        lambda key: jobs.move(operator, key, "up"),
        lambda key: jobs.prioritise(operator, key, 1),
        lambda key: jobs.postpone(operator, key, None),
    ):
        with pytest.raises(Conflict, match="only a waiting job"):
            change("r")
        with pytest.raises(NotFound):
            change("missing")
    with pytest.raises(InvalidInput, match="up, down, first or last"):
        jobs.move(operator, "r", "sideways")  # type: ignore[arg-type]


def test_a_viewer_changes_no_order(jobs: Jobs, database: Database, viewer: Actor) -> None:
    _put(database, "a")
    for change in (
        lambda: jobs.move(viewer, "a", "up"),
        lambda: jobs.prioritise(viewer, "a", 1),
        lambda: jobs.postpone(viewer, "a", None),
    ):
        with pytest.raises(NotAllowed):
            change()


def test_every_change_is_told_in_the_history(jobs: Jobs, database: Database, editor: Actor) -> None:
    _put(database, *"ab")
    jobs.move(editor, "b", "up")
    jobs.prioritise(editor, "b", 2)
    jobs.postpone(editor, "b", datetime(2030, 1, 1, 22, tzinfo=UTC))
    who = editor.username
    told = [event.what for event in jobs.history("b")]
    assert told == [f"moved up by {who}", f"priority 2 by {who}", f"put off by {who}: 2030-01-01T22:00+00:00"]


def test_what_waits_for_a_cancelled_job_is_cancelled_with_its_name(
    jobs: Jobs, database: Database, operator: Actor
) -> None:
    first = jobs.submit(operator, "train", {}, title="Learn answers")
    second = jobs.submit(operator, "train", {}, title="Learn taste", after_job_id=first.id)
    third = jobs.submit(operator, "evaluate", {}, title="Measure", after_job_id=second.id)
    jobs.cancel(operator, first.id)
    assert [jobs.get(job.id).status for job in (first, second, third)] == ["cancelled"] * 3
    assert "“Learn answers”, which this job waits for, was cancelled" in (jobs.get(second.id).error or "")
    assert "“Learn taste”" in (jobs.get(third.id).error or "")
    with pytest.raises(Conflict, match="“Learn answers”"):
        jobs.wait(second.id, 1)


def test_what_waits_for_a_failed_job_is_cancelled_by_the_worker(
    jobs: Jobs, database: Database, operator: Actor, worker: LocalWorker
) -> None:
    _put(database, "first", status="failed")
    second = jobs.submit(operator, "train", {}, title="Learn taste", after_job_id="first")
    worker.tick()
    assert jobs.get(second.id).status == "cancelled" and "failed, so it was not started" in str(
        jobs.get(second.id).error
    )


def test_trying_the_first_again_makes_the_others_wait_for_it_again(
    jobs: Jobs, database: Database, operator: Actor
) -> None:
    _put(database, "a")
    _put(database, "b", "x", after_job_id="a")
    _put(database, "c", after_job_id="b")
    jobs.cancel(operator, "x")  # a person said so, and that stays
    jobs.cancel(operator, "a")
    with pytest.raises(Conflict, match="“b” waits for “a”, which was cancelled"):
        jobs.retry(operator, "b")
    jobs.retry(operator, "a")
    assert {job.id: job.status for job in jobs.recent(None)} == {
        "a": "queued",
        "b": "queued",
        "c": "queued",
        "x": "cancelled",
    }
    assert jobs.get("b").error is None and _taken(jobs, database) == "abc"


def test_a_stage_a_person_cancelled_can_be_retried_while_the_first_goes_on(
    jobs: Jobs, database: Database, operator: Actor
) -> None:
    _put(database, "a", status="running")
    _put(database, "b", after_job_id="a")
    jobs.cancel(operator, "b")
    assert jobs.retry(operator, "b").status == "queued" and _taken(jobs, database) == ""
    _set(database, "a", status="succeeded")
    assert _taken(jobs, database) == "b"


def test_a_job_cannot_wait_for_one_that_never_was(jobs: Jobs, operator: Actor) -> None:
    with pytest.raises(NotFound):
        jobs.submit(operator, "train", {}, title="Train", after_job_id="missing")
    with pytest.raises(InvalidInput, match="time zone"):
        jobs.submit(operator, "train", {}, title="Train", not_before=datetime(2030, 1, 1))


def test_a_job_that_wants_more_gpus_than_there_are_says_so(jobs: Jobs, operator: Actor, worker: LocalWorker) -> None:
    job = jobs.submit(operator, "train", {}, title="Train", gpus=2)
    worker.tick()
    told = jobs.get(job.id)
    assert told.status == "failed" and "wants 2 GPUs, and the worker on this machine may hand out none" in str(
        told.error
    )


@pytest.mark.parametrize(("slots", "running", "waits"), [(2, 1, True), (3, 1, False), (3, 2, True), (1, 0, False)])
def test_long_jobs_leave_one_slot_free(
    settings: Settings, database: Database, slots: int, running: int, waits: bool
) -> None:
    worker = LocalWorker(Settings(home=settings.home, worker_slots=slots), database)
    long = [Job(kind="train")] * running
    assert ("train" in worker._not_now(long)) is waits
    assert "train" not in worker._not_now([Job(kind="freeze")] * 5)
    worker.close()


@pytest.fixture
def berlin() -> Iterator[None]:
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    os.environ.pop("TZ")
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-01-10T20:59+00:00", "2026-01-10T21:00+00:00"),  # 21:59 in Berlin's winter
        ("2026-01-10T21:00+00:00", "2026-01-11T21:00+00:00"),
        ("2026-07-10T12:00+00:00", "2026-07-10T20:00+00:00"),
        ("2026-03-28T22:00+00:00", "2026-03-29T20:00+00:00"),  # the clocks change in between
    ],
)
def test_tonight_is_the_next_time_the_hosts_clock_shows_it(at: str, expected: str) -> None:
    assert next_tonight("22:00", datetime.fromisoformat(at)) == datetime.fromisoformat(expected)
