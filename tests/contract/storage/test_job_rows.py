"""The queue's queries, the same on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from storage.database import Database
from storage.repositories.jobs import ACTIVE, JobRepository
from storage.tables import Job, Project
from storage.types import now


def _queue(stored: Database, *jobs: Job) -> None:
    with stored.write() as session:
        session.add_all(jobs)


def _claim(stored: Database, gpus: int = 0, all_gpus: int | None = None, without: tuple[str, ...] = ()) -> Job | None:
    with stored.write() as session:
        return JobRepository(session).claim("here", gpus, all_gpus, without)


def _claimed(stored: Database, gpus: int = 0, all_gpus: int | None = None, without: tuple[str, ...] = ()) -> str:
    job = _claim(stored, gpus, all_gpus, without)
    return job.id if job else ""


def _set(stored: Database, key: str, **columns: object) -> None:
    with stored.write() as session:
        job = session.get_one(Job, key)
        for name, value in columns.items():
            setattr(job, name, value)


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


def test_a_job_for_tonight_is_not_taken_before(stored: Database) -> None:
    _queue(stored, Job(id="tonight", kind="k", priority=9, not_before=now() + timedelta(hours=1)))
    _queue(stored, Job(id="now", kind="k"), Job(id="last night's", kind="k", not_before=now() - timedelta(hours=1)))
    assert [_claimed(stored), _claimed(stored), _claimed(stored)] == ["now", "last night's", ""]
    _set(stored, "tonight", not_before=now())
    assert _claimed(stored) == "tonight"


def test_a_later_stage_is_taken_only_once_the_one_before_it_succeeded(stored: Database) -> None:
    _queue(stored, Job(id="second", kind="k", priority=9, after_job_id="first"), Job(id="first", kind="k"))
    assert [_claimed(stored), _claimed(stored)] == ["first", ""]
    for status in ("running", "cancelling", "failed", "cancelled"):
        _set(stored, "first", status=status)
        assert _claimed(stored) == "", status
    _set(stored, "first", status="succeeded")
    assert _claimed(stored) == "second"


def test_who_waits_for_a_job_that_stopped_short_is_found(stored: Database) -> None:
    _queue(stored, Job(id="a", kind="k", status="failed"), Job(id="b", kind="k", status="running"))
    _queue(stored, Job(id="after a", kind="k", after_job_id="a"), Job(id="after b", kind="k", after_job_id="b"))
    with stored.read() as session:
        jobs = JobRepository(session)
        assert [(late.id, first.id) for late, first in jobs.stranded()] == [("after a", "a")]
        assert [job.id for job in jobs.dependents("b")] == ["after b"]


def test_the_claim_passes_over_kinds_the_worker_does_not_take_now(stored: Database) -> None:
    _queue(stored, Job(id="long", kind="train", priority=9), Job(id="short", kind="freeze"))
    with stored.read() as session:
        jobs = JobRepository(session)
        assert (jobs.next_kind(0, 0), jobs.next_kind(0, 0, ["train"])) == ("train", "freeze")
    assert [_claimed(stored, without=("train",)), _claimed(stored, without=("train",))] == ["short", ""]
    assert _claimed(stored) == "long"


def test_small_gpu_jobs_do_not_starve_a_big_one_in_front(stored: Database) -> None:
    early, late = now() - timedelta(minutes=1), now()
    _queue(
        stored,
        Job(id="big", kind="k", gpus=2, order_at=early),
        Job(id="huge", kind="k", gpus=9, order_at=early),
        Job(id="small", kind="k", gpus=1, order_at=late),
        Job(id="none", kind="k", order_at=late),
    )
    assert [_claimed(stored, 1, 2), _claimed(stored, 1, 2)] == ["none", ""]
    assert [_claimed(stored, 2, 2), _claimed(stored, 1, 2)] == ["big", "small"]
    with stored.read() as session:
        assert [job.id for job in JobRepository(session).too_big(2)] == ["huge"]


def test_many_workers_never_take_the_same_job(stored: Database) -> None:
    when = now() - timedelta(minutes=1)
    _queue(stored, *(Job(id=f"{number:03}", kind="k", order_at=when, after_job_id="done") for number in range(60)))
    _queue(stored, Job(id="done", kind="k", status="succeeded"))
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: _claimed(stored), range(70)))
    assert sorted(filter(None, taken)) == [f"{number:03}" for number in range(60)]


def test_what_ended_long_ago_is_told_from_what_goes_on(stored: Database) -> None:
    long_ago = now() - timedelta(days=9)
    for status in ("succeeded", "failed", "cancelled", "running", "queued"):
        _queue(stored, Job(id=status, kind="k", status=status, finished_at=long_ago))
    _queue(stored, Job(id="new", kind="k", status="succeeded", finished_at=now()))
    with stored.read() as session:
        found = JobRepository(session).ended_before(now() - timedelta(days=1))
    assert sorted(found) == ["cancelled", "failed", "succeeded"]


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
