"""The order of the queue: who goes next, and the verbs that change it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import pairwise
from typing import Literal

from storage.database import Database
from storage.repositories.jobs import JobRepository
from storage.tables import Job
from storage.types import now
from studio.access.actor import Actor, Role, permit
from studio.errors import Conflict, InvalidInput, NotFound
from studio.jobs.outcome import TOO_BIG

Where = Literal["up", "down", "first", "last"]
PRIORITIES = range(-100, 101)
A_TICK = timedelta(microseconds=1)


class Ordering:
    """The part of `Jobs` that a person uses to say what goes first."""

    database: Database

    def queue(self, project_id: str | None = None) -> list[Job]:
        """The waiting jobs in the order a worker takes them; None means every project."""
        with self.database.read() as session:
            waiting = in_order(JobRepository(session).queued(), now())
        return [job for job in waiting if project_id is None or job.project_id == project_id]

    def ahead_of(self, job: Job) -> int:
        """How many waiting jobs, of any project, go before this one."""
        waiting = [each.id for each in self.queue()]
        return waiting.index(job.id) if job.id in waiting else 0

    def waits_for(self, job: Job) -> str:
        """Why a waiting job does not run yet, as a phrase."""
        if job.progress_text.startswith(TOO_BIG):
            return job.progress_text
        if job.after_job_id:
            with self.database.read() as session:
                first = JobRepository(session).get(job.after_job_id)
            if first is not None and first.status != "succeeded":
                return f"Waits for “{first.title or first.kind}”, which is {first.status}"
        if job.not_before and job.not_before > now():
            return f"Waits until {job.not_before.astimezone():%H:%M on %d %b}"
        ahead = self.ahead_of(job)
        jobs = "1 job goes" if ahead == 1 else f"{ahead} jobs go"
        return f"Waits for a free slot; {jobs} first" if ahead else "Waits for a free slot; it is next"

    def move(self, actor: Actor, job_id: str, where: Where) -> Job:
        """Change places with the job in front or behind, or go to an end, among those that wait for the same moment.

        Passing a job of another priority takes on its priority.
        """
        if where not in ("up", "down", "first", "last"):
            raise InvalidInput("A job moves up, down, first or last.")
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            jobs = JobRepository(session)
            job = waiting_job(jobs, job_id)
            rearrange(jobs.queued(), job, where, now())
            jobs.note(job.id, f"moved {where} by {actor.username}")
            return job

    def prioritise(self, actor: Actor, job_id: str, priority: int) -> Job:
        """Put the job among those of this priority; higher ones go first."""
        if priority not in PRIORITIES:
            raise InvalidInput(f"A priority is a whole number from {PRIORITIES[0]} to {PRIORITIES[-1]}.")
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            jobs = JobRepository(session)
            job = waiting_job(jobs, job_id)
            job.priority = priority
            jobs.note(job.id, f"priority {priority} by {actor.username}")
            return job

    def postpone(self, actor: Actor, job_id: str, until: datetime | None) -> Job:
        """Let the job wait until then; None lets it go as soon as there is room."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            jobs = JobRepository(session)
            job = waiting_job(jobs, job_id)
            job.not_before = a_moment(until)
            when = until.isoformat(timespec="minutes") if until else "as soon as there is room"
            jobs.note(job.id, f"put off by {actor.username}: {when}")
            return job


def waiting_job(jobs: JobRepository, job_id: str) -> Job:
    """The job, still in the queue. Raises NotFound or Conflict."""
    job = jobs.get(job_id)
    if job is None:
        raise NotFound("This job no longer exists. Reload the page to see the jobs there are.", job_id=job_id)
    if job.status != "queued":
        raise Conflict(f"“{job.title}” is {job.status}; only a waiting job has a place in the queue.")
    return job


def a_moment(at: datetime | None) -> datetime | None:
    """A moment that is known everywhere. Raises InvalidInput for one without a time zone."""
    if at is not None and at.tzinfo is None:
        raise InvalidInput("Say the time zone of the moment to wait for, for example 2026-01-31T22:00+01:00.")
    return at


def in_order(queued: Sequence[Job], at: datetime) -> list[Job]:
    """The order in which one free slot would take these jobs: those put off later, a chain's stages in turn."""
    waiting = sorted(queued, key=lambda job: (_opens(job, at), *_place(job)))
    number = {job.id: place for place, job in enumerate(waiting)}
    ready = [place for place, job in enumerate(waiting) if job.after_job_id not in number]
    following: dict[str, list[int]] = {}
    for place, job in enumerate(waiting):
        following.setdefault(job.after_job_id or "", []).append(place)
    taken: list[Job] = []
    while ready:  # a heap: what becomes free to go competes with the others by its place
        taken.append(waiting[heappop(ready)])
        for place in following.get(taken[-1].id, ()):
            heappush(ready, place)
    return taken


def rearrange(queued: Sequence[Job], job: Job, where: Where, at: datetime) -> None:
    """Give the job another place among its peers by changing as few rows as that takes."""
    peers = sorted((each for each in queued if _opens(each, at) == _opens(job, at)), key=_place)
    old, last = peers.index(job), len(peers) - 1
    new = {"up": max(old - 1, 0), "down": min(old + 1, last), "first": 0, "last": last}[where]
    if new == old:
        return
    passed = peers[new]
    peers.insert(new, peers.pop(old))
    job.priority, job.order_at = passed.priority, passed.order_at
    for front, back in pairwise(peers):
        if front.priority == back.priority and back.order_at <= front.order_at:
            back.order_at = front.order_at + A_TICK


def next_tonight(hour_minute: str, at: datetime | None = None) -> datetime:
    """The next time the host's clock shows this hour and minute ("22:00")."""
    hour, _, minute = hour_minute.partition(":")
    local = (at or now()).astimezone()
    tonight = local.replace(hour=int(hour), minute=int(minute or 0), second=0, microsecond=0, tzinfo=None)
    if tonight <= local.replace(tzinfo=None):
        tonight += timedelta(days=1)
    return tonight.astimezone(now().tzinfo)


def settle(jobs: JobRepository) -> None:
    """Cancel what waits for a job that stopped short, and what waits for that, naming the job each waited for."""
    while pairs := jobs.stranded():
        for late, first in pairs:
            values = {"status": "cancelled", "error": _why_stranded(first), "finished_at": now()}
            jobs.fenced(late.id, late.attempt, ("queued",), f"cancelled: {first.id} {first.status}", **values)


def _why_stranded(first: Job) -> str:
    name = first.title or first.kind
    return (
        f"“{name}”, which this job waits for, {stopped_how(first)}, so it was not started. "
        f"Try “{name}” again: this one then goes on by itself."
    )


def stopped_how(job: Job) -> str:
    """For a sentence about a job that stopped short."""
    return "failed" if job.status == "failed" else "was cancelled"


def _opens(job: Job, at: datetime) -> datetime:
    return job.not_before if job.not_before and job.not_before > at else datetime.min.replace(tzinfo=at.tzinfo)


def _place(job: Job) -> tuple[int, datetime, str]:
    return -job.priority, job.order_at, job.id
