"""The queue's queries, the same on both databases."""

from __future__ import annotations

from datetime import timedelta

from storage.database import Database
from storage.repositories.jobs import ACTIVE, JobRepository
from storage.tables import Job, Project
from storage.types import now


def _queue(stored: Database, *jobs: Job) -> None:
    with stored.write() as session:
        session.add_all(jobs)


def _claim(stored: Database, gpus: int = 0) -> Job | None:
    with stored.write() as session:
        return JobRepository(session).claim("here", gpus)


def test_the_oldest_of_the_highest_priority_goes_first(stored: Database) -> None:
    early, late = now() - timedelta(minutes=1), now()
    _queue(
        stored,
        Job(id="late", kind="k", created_at=late, order_at=late),
        Job(id="early", kind="k", created_at=early, order_at=early),
        Job(id="urgent", kind="k", created_at=late, order_at=late, priority=5),
    )
    order = [_claim(stored), _claim(stored), _claim(stored)]
    assert [job.id for job in order if job] == ["urgent", "early", "late"]
    assert _claim(stored) is None


def test_a_claim_marks_the_attempt_and_who_has_it(stored: Database) -> None:
    _queue(stored, Job(id="j", kind="k", error="from last time", exit_code=1))
    job = _claim(stored)
    assert job is not None
    assert (job.status, job.attempt, job.host, job.error, job.exit_code) == ("starting", 1, "here", None, None)
    assert job.started_at is not None and job.heartbeat_at is not None


def test_a_job_that_needs_no_gpu_passes_one_that_waits_for_it(stored: Database) -> None:
    _queue(stored, Job(id="big", kind="k", gpus=2, priority=9), Job(id="small", kind="k"))
    first, second = _claim(stored, gpus=1), _claim(stored, gpus=1)
    assert first is not None and first.id == "small" and second is None
    third = _claim(stored, gpus=2)
    assert third is not None and third.id == "big"


def test_a_holder_of_an_old_attempt_changes_nothing(stored: Database) -> None:
    _queue(stored, Job(id="j", kind="k", status="running", attempt=2))
    with stored.write() as session:
        jobs = JobRepository(session)
        assert not jobs.fenced("j", 1, ACTIVE, "late", progress=0.9)
        assert not jobs.fenced("j", 2, ("starting",), "wrong state", progress=0.9)
        assert jobs.fenced("j", 2, ACTIVE, "right", progress=0.5)
    with stored.read() as session:
        jobs = JobRepository(session)
        assert [event.what for event in jobs.history("j")] == ["right"]
        found = jobs.get("j")
    assert found is not None and found.progress == 0.5


def test_only_active_jobs_can_be_asked_to_stop(stored: Database) -> None:
    _queue(stored, Job(id="on", kind="k", status="running"), Job(id="off", kind="k", status="succeeded"))
    with stored.write() as session:
        jobs = JobRepository(session)
        assert jobs.ask_to_stop("on") and not jobs.ask_to_stop("off") and not jobs.ask_to_stop("missing")


def test_recent_and_unfinished_keep_to_the_project_and_the_kinds(stored: Database) -> None:
    with stored.write() as session:
        session.add_all([Project(id="p", name="one"), Project(id="q", name="two")])
        session.flush()
        session.add(Job(id="1", kind="train", project_id="p", created_at=now() - timedelta(minutes=3)))
        session.add(
            Job(id="2", kind="freeze", project_id="p", status="failed", created_at=now() - timedelta(minutes=2))
        )
        session.add(Job(id="3", kind="train", project_id="q", created_at=now() - timedelta(minutes=1)))
    with stored.read() as session:
        jobs = JobRepository(session)
        assert [job.id for job in jobs.recent("p", 10)] == ["2", "1"]
        assert [job.id for job in jobs.recent(None, 2)] == ["3", "2"]
        assert [job.id for job in jobs.recent(None, 9, ["train"])] == ["3", "1"]
        assert [job.id for job in jobs.unfinished(None)] == ["1", "3"]
        assert [job.id for job in jobs.unfinished("p", ["freeze"])] == []


def test_how_many_wait_in_front(stored: Database) -> None:
    first = Job(id="a", kind="k", order_at=now() - timedelta(minutes=2))
    second = Job(id="b", kind="k", order_at=now() - timedelta(minutes=1))
    urgent = Job(id="c", kind="k", priority=1)
    _queue(stored, first, second, urgent)
    with stored.read() as session:
        jobs = JobRepository(session)
        assert [jobs.ahead_of(job) for job in (first, second, urgent)] == [1, 2, 0]


def test_only_silent_jobs_of_other_hosts_are_abandoned(stored: Database) -> None:
    long_ago = now() - timedelta(hours=1)
    _queue(
        stored,
        Job(id="mine", kind="k", status="running", host="here", heartbeat_at=long_ago),
        Job(id="silent", kind="k", status="running", host="there", heartbeat_at=long_ago),
        Job(id="alive", kind="k", status="running", host="there", heartbeat_at=now()),
        Job(id="over", kind="k", status="failed", host="there", heartbeat_at=long_ago),
    )
    with stored.write() as session:
        jobs = JobRepository(session)
        assert [job.id for job in jobs.abandoned("here", now() - timedelta(minutes=2))] == ["silent"]
        jobs.beat("there", now())
        assert jobs.abandoned("here", now() - timedelta(minutes=2)) == []
