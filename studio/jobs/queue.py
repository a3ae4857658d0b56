"""Jobs: submit, watch, cancel and retry. Running them is the worker's business."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from sqlmodel import Session

from storage.database import Database
from storage.repositories.jobs import ACTIVE, ENDED, STOPPED, JobRepository
from storage.tables import Job, JobEvent
from storage.types import now
from studio.access.actor import Actor, Role, permit
from studio.errors import Conflict, NotFound, StudioError, Unavailable
from studio.jobs.ordering import Ordering, a_moment, settle, stopped_how

POLL_S = 0.25
Watcher = Callable[[Job], None]


class Jobs(Ordering):
    """The queue in the database. A job runs in a process of its own and survives the process that asked for it."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def submit(
        self,
        actor: Actor,
        kind: str,
        spec: dict[str, Any],
        *,
        title: str,
        project_id: str | None = None,
        gpus: int = 0,
        priority: int = 0,
        needs: Role = Role.EDITOR,
        not_before: datetime | None = None,
        after_job_id: str | None = None,
    ) -> Job:
        """Put a job in the queue; a worker starts it within a second when a slot is free."""
        with self.database.write() as session:
            return self.enqueue(
                session,
                actor,
                kind,
                spec,
                title=title,
                project_id=project_id,
                gpus=gpus,
                priority=priority,
                needs=needs,
                not_before=not_before,
                after_job_id=after_job_id,
            )

    def enqueue(
        self,
        session: Session,
        actor: Actor,
        kind: str,
        spec: dict[str, Any],
        *,
        title: str,
        project_id: str | None = None,
        gpus: int = 0,
        priority: int = 0,
        needs: Role = Role.EDITOR,
        not_before: datetime | None = None,
        after_job_id: str | None = None,
    ) -> Job:
        """`submit` inside the caller's transaction: the noun and its job appear together or not at all.

        The job waits until `not_before`, and until the job `after_job_id` has succeeded.
        """
        permit(session, actor, needs)
        jobs = JobRepository(session)
        if after_job_id:
            _found(jobs, after_job_id)
        job = Job(
            kind=kind,
            spec=spec,
            title=title,
            project_id=project_id,
            gpus=gpus,
            priority=priority,
            created_by=actor.username,
            not_before=a_moment(not_before),
            after_job_id=after_job_id,
        )
        jobs.add(job)
        jobs.note(job.id, f"queued by {actor.username}")
        return job

    def cancel(self, actor: Actor, job_id: str) -> Job:
        """Stop the job: at once when it waits, politely and then by force when it runs. Its work so far is kept."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            jobs = JobRepository(session)
            job = _found(jobs, job_id)
            done: dict[str, Any] = {"status": "cancelled", "cancel_requested": True, "finished_at": now()}
            if not jobs.fenced(job.id, job.attempt, ("queued",), **done) and not jobs.ask_to_stop(job.id):
                raise Conflict(f"“{job.title}” has already ended ({job.status}); there is nothing to cancel.")
            jobs.note(job.id, f"cancel asked by {actor.username}")
            settle(jobs)
            session.refresh(job)
            return job

    def retry(self, actor: Actor, job_id: str) -> Job:
        """Put a failed or cancelled job back in the queue; it goes on from what its folder holds.

        The jobs that were cancelled only because they wait for this one wait again.
        """
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            jobs = JobRepository(session)
            job = _found(jobs, job_id)
            _refuse_if_stranded(jobs, job)
            if not jobs.fenced(job.id, job.attempt, STOPPED, f"tried again by {actor.username}", **_afresh()):
                raise Conflict(f"“{job.title}” is {job.status}; only a failed or cancelled job can be tried again.")
            _put_back_dependents(jobs, job)
            session.refresh(job)
            return job

    def get(self, job_id: str) -> Job:
        """The job as it is now. Raises NotFound."""
        with self.database.read() as session:
            return _found(JobRepository(session), job_id)

    def recent(self, project_id: str | None, limit: int = 20, kinds: Collection[str] | None = None) -> list[Job]:
        """The newest jobs first; None means every project."""
        with self.database.read() as session:
            return JobRepository(session).recent(project_id, limit, kinds)

    def active(self, project_id: str | None, kinds: Collection[str] | None = None) -> list[Job]:
        """Jobs that wait or run, oldest first; None means every project."""
        with self.database.read() as session:
            return JobRepository(session).unfinished(project_id, kinds)

    def history(self, job_id: str) -> list[JobEvent]:
        """What happened to the job, oldest first."""
        with self.database.read() as session:
            return JobRepository(session).history(job_id)

    def eta_seconds(self, job: Job) -> float | None:
        """Seconds the job still needs at its pace so far; None until that can be told."""
        return eta_seconds(job)

    def wait(self, job_id: str, timeout_s: float, on_progress: Watcher | None = None) -> Job:
        """Block until the job has succeeded. Raises its error when it failed, Conflict when cancelled, Unavailable."""
        deadline = time.monotonic() + timeout_s
        seen: tuple[object, ...] = ()
        while True:
            job = self.get(job_id)
            if on_progress and seen != (seen := (job.status, job.progress, job.progress_text)):
                on_progress(job)
            if job.status in ENDED:
                return _succeeded(job)
            if time.monotonic() > deadline:
                raise Unavailable(_overdue(job, timeout_s), job_id=job.id)
            time.sleep(POLL_S)


def eta_seconds(job: Job) -> float | None:
    """Seconds left at the pace of the present attempt, which may have taken up part-way; None until it can be told."""
    done = job.progress - job.progress_from
    if job.status not in ACTIVE or job.started_at is None or done < 0.02:
        return None
    return (now() - job.started_at).total_seconds() * (1 - job.progress) / done


def _afresh() -> dict[str, Any]:
    cleared = dict.fromkeys(("cancel_at", "error", "exit_code", "finished_at", "host"))
    return {"status": "queued", "cancel_requested": False, "interruptions": 0, **cleared}


def _refuse_if_stranded(jobs: JobRepository, job: Job) -> None:
    first = jobs.get(job.after_job_id) if job.after_job_id else None
    if first and first.status in STOPPED:
        raise Conflict(
            f"“{job.title}” waits for “{first.title}”, which {stopped_how(first)}. "
            f"Try “{first.title}” again: this one then goes on by itself."
        )


def _put_back_dependents(jobs: JobRepository, first: Job) -> None:
    """Cancelled by us and not by a person: those wait again, and what waits for them."""
    for late in jobs.dependents(first.id):
        if not late.cancel_requested and jobs.fenced(
            late.id, late.attempt, ("cancelled",), f"waits again for {first.id}", **_afresh()
        ):
            _put_back_dependents(jobs, late)


def _found(jobs: JobRepository, job_id: str) -> Job:
    job = jobs.get(job_id)
    if job is None:
        raise NotFound("This job no longer exists. Reload the page to see the jobs there are.", job_id=job_id)
    return job


def _succeeded(job: Job) -> Job:
    if job.status == "cancelled":
        raise Conflict(job.error or f"“{job.title}” was cancelled.", job_id=job.id)
    if job.status == "failed":
        raise StudioError(job.error or f"“{job.title}” failed; its log says why.", job_id=job.id)
    return job


def _overdue(job: Job, timeout_s: float) -> str:
    if job.status == "queued":
        return f"“{job.title}” has waited {timeout_s:.0f} s for a worker. Start one with `studio up` (or `make run`)."
    return (
        f"“{job.title}” is still {job.status} after {timeout_s:.0f} s ({job.progress:.0%}). It goes on; look at Home."
    )
