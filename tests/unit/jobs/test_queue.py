"""Submitting, cancelling, retrying and waiting for jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from storage.database import Database
from storage.tables import Job, Project
from storage.types import now
from studio.access.actor import Actor, Role
from studio.errors import Conflict, NotAllowed, NotFound, StudioError, Unavailable
from studio.jobs.queue import Jobs


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database)


def _put(database: Database, **columns: Any) -> Job:
    with database.write() as session:
        job = Job(kind="train", title="Train a model", **columns)
        session.add(job)
    return job


def _set(database: Database, job: Job, **columns: Any) -> None:
    with database.write() as session:
        found = session.get(Job, job.id)
        assert found is not None
        for name, value in columns.items():
            setattr(found, name, value)


def _history(jobs: Jobs, job: Job) -> list[str]:
    return [event.what for event in jobs.history(job.id)]


def test_a_submitted_job_waits_in_the_queue_with_who_asked(jobs: Jobs, editor: Actor, project: Project) -> None:
    job = jobs.submit(editor, "freeze", {"dataset": "d"}, title="Freeze", project_id=project.id, gpus=1, priority=2)
    found = jobs.get(job.id)
    assert (found.status, found.kind, found.spec, found.gpus, found.priority) == (
        "queued",
        "freeze",
        {"dataset": "d"},
        1,
        2,
    )
    assert found.created_by == editor.username and _history(jobs, job) == [f"queued by {editor.username}"]


def test_a_viewer_may_not_submit_cancel_or_retry(jobs: Jobs, database: Database, viewer: Actor) -> None:
    waiting, failed = _put(database), _put(database, status="failed")
    for ask in (
        lambda: jobs.submit(viewer, "freeze", {}, title="Freeze"),
        lambda: jobs.cancel(viewer, waiting.id),
        lambda: jobs.retry(viewer, failed.id),
    ):
        with pytest.raises(NotAllowed, match="role editor"):
            ask()
    assert [job.status for job in jobs.recent(None)] == ["failed", "queued"]


def test_a_job_may_ask_for_less_or_more_than_an_editor(jobs: Jobs, sign_in: Callable[[Role], Actor]) -> None:
    assert jobs.submit(sign_in(Role.LABELER), "collect", {}, title="Collect", needs=Role.LABELER).status == "queued"
    with pytest.raises(NotAllowed):
        jobs.submit(sign_in(Role.EDITOR), "restore", {}, title="Restore", needs=Role.ADMIN)


def test_a_job_and_its_noun_appear_together_or_not_at_all(jobs: Jobs, database: Database, operator: Actor) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as session:
        session.add(Project(name="half"))
        jobs.enqueue(session, operator, "freeze", {}, title="Freeze")
        1 // 0  # noqa: B018
    assert jobs.recent(None) == []


def test_cancelling_a_waiting_job_ends_it_at_once(jobs: Jobs, database: Database, editor: Actor) -> None:
    job = jobs.cancel(editor, _put(database).id)
    assert job.status == "cancelled" and job.finished_at is not None
    assert _history(jobs, job) == [f"cancel asked by {editor.username}"]


def test_cancelling_a_running_job_leaves_the_stopping_to_its_worker(
    jobs: Jobs, database: Database, operator: Actor
) -> None:
    job = jobs.cancel(operator, _put(database, status="running", attempt=1).id)
    assert job.status == "running" and job.cancel_requested
    assert jobs.cancel(operator, job.id).cancel_requested  # pressing twice is harmless


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_what_has_ended_cannot_be_cancelled(jobs: Jobs, database: Database, operator: Actor, status: str) -> None:
    with pytest.raises(Conflict, match=f"already ended \\({status}\\)"):
        jobs.cancel(operator, _put(database, status=status).id)


def test_a_failed_job_goes_back_to_the_queue_with_its_past_cleared(
    jobs: Jobs, database: Database, operator: Actor
) -> None:
    failed = _put(database, status="failed", attempt=4, interruptions=4, error="no memory", exit_code=-9, host="h")
    job = jobs.retry(operator, failed.id)
    assert (job.status, job.attempt, job.interruptions) == ("queued", 4, 0)
    assert (job.error, job.exit_code, job.host, job.finished_at) == (None, None, None, None)


@pytest.mark.parametrize("status", ["queued", "running", "succeeded"])
def test_only_a_failed_or_cancelled_job_can_be_retried(
    jobs: Jobs, database: Database, operator: Actor, status: str
) -> None:
    with pytest.raises(Conflict, match=f"is {status}"):
        jobs.retry(operator, _put(database, status=status).id)


def test_an_unknown_job_is_a_sentence(jobs: Jobs, operator: Actor) -> None:
    for ask in (jobs.get, lambda key: jobs.cancel(operator, key), lambda key: jobs.retry(operator, key)):
        with pytest.raises(NotFound, match="Reload the page"):
            ask("missing")


def test_waiting_returns_the_finished_job_and_shows_its_way(jobs: Jobs, database: Database) -> None:
    job = _put(database, status="running", attempt=1)
    seen: list[tuple[str, float]] = []

    def watch(state: Job) -> None:
        seen.append((state.status, state.progress))
        if state.progress == 0:
            _set(database, job, progress=0.5)
        elif state.status == "running":
            _set(database, job, status="succeeded", progress=1.0, result={"rows": 3})

    assert jobs.wait(job.id, 60, watch).result == {"rows": 3}
    assert seen == [("running", 0.0), ("running", 0.5), ("succeeded", 1.0)]


def test_waiting_raises_the_error_of_a_failed_job(jobs: Jobs, database: Database) -> None:
    with pytest.raises(StudioError, match="Line 3 is not JSON"):
        jobs.wait(_put(database, status="failed", error="Line 3 is not JSON.").id, 5)
    with pytest.raises(Conflict, match="was cancelled"):
        jobs.wait(_put(database, status="cancelled").id, 5)


def test_waiting_in_vain_says_what_to_do(jobs: Jobs, database: Database) -> None:
    with pytest.raises(Unavailable, match="studio up"):
        jobs.wait(_put(database).id, 0)
    with pytest.raises(Unavailable, match="It goes on"):
        jobs.wait(_put(database, status="running").id, 0)


def test_time_left_follows_the_pace_so_far(jobs: Jobs, database: Database) -> None:
    began = now() - timedelta(seconds=30)
    job = _put(database, status="running", attempt=1, started_at=began, progress=0.25)
    left = jobs.eta_seconds(job)
    assert left is not None and left == pytest.approx(90, rel=0.05)
    resumed = _put(database, status="running", attempt=2, started_at=began, progress=0.75, progress_from=0.5)
    left = jobs.eta_seconds(resumed)
    assert left is not None and left == pytest.approx(30, rel=0.05)


@pytest.mark.parametrize(
    "columns",
    [
        {"status": "queued", "progress": 0.5},
        {"status": "succeeded", "progress": 1.0},
        {"status": "running", "progress": 0.0},
        {"status": "running", "progress": 0.5, "progress_from": 0.5, "attempt": 2},
    ],
)
def test_time_left_is_unknown_before_there_is_a_pace(jobs: Jobs, database: Database, columns: dict[str, Any]) -> None:
    job = _put(database, **{"attempt": 1, "started_at": now() - timedelta(seconds=5), **columns})
    assert jobs.eta_seconds(job) is None


def test_active_jobs_are_those_that_wait_or_run(jobs: Jobs, database: Database) -> None:
    states = ("queued", "starting", "running", "cancelling", "succeeded", "failed", "cancelled")
    for status in states:
        _put(database, id=status, status=status)
    assert {job.id for job in jobs.active(None)} == set(states[:4])


def test_two_people_who_retry_at_once_get_one_retry(jobs: Jobs, database: Database, operator: Actor) -> None:
    failed = _put(database, status="failed", attempt=1)
    outcomes: list[str] = []

    def ask() -> None:
        try:
            outcomes.append(jobs.retry(operator, failed.id).status)
        except Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict", "conflict", "conflict", "queued"]
