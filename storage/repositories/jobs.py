"""Queries over jobs: the one-statement claim, and writes that only the holder of an attempt can make."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Update, update
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from storage.repositories.base import Repository
from storage.repositories.queue_order import Offer, claimable, place, waiting_for_gpus
from storage.tables import Job, JobEvent
from storage.types import now

ACTIVE = ("starting", "running", "cancelling")
OPEN = ("queued", *ACTIVE)
STOPPED = ("failed", "cancelled")
ENDED = ("succeeded", *STOPPED)


class JobRepository(Repository[Job]):
    """Jobs and their events."""

    table = Job

    def claim(
        self, host: str, free_gpus: int, all_gpus: int | None = None, without: Collection[str] = ()
    ) -> Job | None:
        """Take the next queued job that fits for `host`, or None; safe against any number of workers.

        One statement: SKIP LOCKED on PostgreSQL, serialised by BEGIN IMMEDIATE on SQLite (where it compiles away).
        """
        offer = Offer(now(), free_gpus, free_gpus if all_gpus is None else all_gpus, tuple(without))
        first = select(Job.id).where(*claimable(offer, self._barrier(offer))).order_by(*place(Job)).limit(1)
        chosen = first.with_for_update(skip_locked=True).scalar_subquery()
        values: dict[str, Any] = {"status": "starting", "host": host, "exit_code": None, "progress_text": ""}
        values |= {"attempt": col(Job.attempt) + 1, "progress_from": col(Job.progress)}
        taken = update(Job).where(col(Job.id) == chosen, col(Job.status) == "queued")
        taken = taken.values(**values, started_at=now(), heartbeat_at=now(), error=None)
        found = self.session.exec(_plain(taken).returning(col(Job.id))).scalar_one_or_none()
        if found is None:
            return None
        job = self.session.get(Job, found, populate_existing=True)
        assert job is not None
        self.note(job.id, f"claimed by {host}, attempt {job.attempt}")
        return job

    def next_kind(self, free_gpus: int, all_gpus: int, without: Collection[str] = ()) -> str | None:
        """The kind of job a claim would find; spares an idle worker the write lock."""
        offer = Offer(now(), free_gpus, all_gpus, tuple(without))
        query = select(Job.kind).where(*claimable(offer, self._barrier(offer))).order_by(*place(Job)).limit(1)
        return self.session.exec(query).first()

    def _barrier(self, offer: Offer) -> Job | None:
        """The first job that waits for more of this worker's GPUs; smaller ones behind it must not starve it."""
        if offer.free_gpus >= offer.all_gpus:
            return None
        query = select(Job).where(*waiting_for_gpus(offer)).order_by(*place(Job)).limit(1)
        return self.session.exec(query).first()

    def fenced(self, job_id: str, attempt: int, states: Collection[str], what: str = "", /, **values: Any) -> bool:
        """Change the job only while it is at this attempt and in one of `states`; False means somebody else has it."""
        holder = (col(Job.id) == job_id, col(Job.attempt) == attempt, col(Job.status).in_(states))
        changed = self.session.exec(_plain(update(Job).where(*holder).values(**values))).rowcount == 1
        if changed and what:
            self.note(job_id, what)
        return changed

    def ask_to_stop(self, job_id: str) -> bool:
        """Mark an active job for cancelling; False when it is not active."""
        active = update(Job).where(col(Job.id) == job_id, col(Job.status).in_(ACTIVE))
        return self.session.exec(_plain(active.values(cancel_requested=True))).rowcount == 1

    def note(self, job_id: str, what: str) -> None:
        """Append to the job's history."""
        self.session.add(JobEvent(job_id=job_id, what=what))
        self.session.flush()

    def history(self, job_id: str) -> list[JobEvent]:
        """What happened to the job, oldest first."""
        query = select(JobEvent).where(JobEvent.job_id == job_id).order_by(col(JobEvent.at), col(JobEvent.id))
        return list(self.session.exec(query))

    def queued(self) -> list[Job]:
        """Every waiting job, in the order of priority and place alone."""
        return list(self.session.exec(select(Job).where(Job.status == "queued").order_by(*place(Job))))

    def dependents(self, job_id: str) -> list[Job]:
        """Jobs that must come after this one."""
        query = select(Job).where(Job.after_job_id == job_id).order_by(col(Job.created_at), col(Job.id))
        return list(self.session.exec(query))

    def stranded(self) -> list[tuple[Job, Job]]:
        """Queued jobs that wait for one that stopped short, each with that one."""
        first = aliased(Job)
        query = select(Job, first).join(first, col(first.id) == col(Job.after_job_id))
        query = query.where(Job.status == "queued", col(Job.after_job_id).is_not(None), col(first.status).in_(STOPPED))
        return list(self.session.exec(query.execution_options(populate_existing=True)))

    def too_big(self, gpus: int) -> list[Job]:
        """Queued jobs that want more GPUs than there are."""
        return list(self.session.exec(select(Job).where(Job.status == "queued", col(Job.gpus) > gpus)))

    def active_on(self, host: str) -> list[Job]:
        """Jobs this host has claimed and not finished."""
        query = select(Job).where(Job.host == host, col(Job.status).in_(ACTIVE)).order_by(col(Job.created_at))
        return list(self.session.exec(query))

    def recent(self, project_id: str | None, limit: int, kinds: Collection[str] | None = None) -> list[Job]:
        """The newest jobs first, of one project or of all."""
        query = select(Job).where(*_scope(project_id, kinds))
        return list(self.session.exec(query.order_by(col(Job.created_at).desc(), col(Job.id).desc()).limit(limit)))

    def unfinished(self, project_id: str | None, kinds: Collection[str] | None = None) -> list[Job]:
        """Queued and running jobs, oldest first."""
        query = select(Job).where(*_scope(project_id, kinds), col(Job.status).in_(OPEN))
        return list(self.session.exec(query.order_by(col(Job.created_at), col(Job.id))))

    def ended_before(self, at: datetime) -> list[str]:
        """Jobs that ended before then."""
        query = select(Job.id).where(col(Job.status).in_(ENDED), col(Job.finished_at) < at)
        return list(self.session.exec(query))

    def beat(self, host: str, at: datetime) -> None:
        """Say that this host still looks after its jobs."""
        mine = update(Job).where(col(Job.host) == host, col(Job.status).in_(ACTIVE))
        self.session.exec(_plain(mine.values(heartbeat_at=at)))

    def abandoned(self, host: str, before: datetime) -> list[Job]:
        """Active jobs of *other* hosts that nobody has looked after since `before`."""
        query = select(Job).where(col(Job.status).in_(ACTIVE), Job.host != host, col(Job.heartbeat_at) < before)
        return list(self.session.exec(query))


def _scope(project_id: str | None, kinds: Collection[str] | None) -> list[ColumnElement[bool]]:
    scope: list[ColumnElement[bool]] = []
    if project_id is not None:
        scope.append(col(Job.project_id) == project_id)
    if kinds is not None:
        scope.append(col(Job.kind).in_(kinds))
    return scope


def _plain(statement: Update) -> Update:
    return statement.execution_options(synchronize_session=False)
