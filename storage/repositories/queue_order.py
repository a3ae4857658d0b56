"""The order of the queue and who may be taken from it, as conditions of the claim's one statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from storage.tables import Job


@dataclass(frozen=True)
class Offer:
    """What a worker has to give at this moment."""

    at: datetime
    free_gpus: int
    all_gpus: int
    without: tuple[str, ...] = ()
    """Kinds it does not take now."""


def place(job: type[Job]) -> tuple[ColumnElement[Any], ...]:
    """The columns that order jobs which could all be taken now."""
    return col(job.priority).desc(), col(job.order_at).asc(), col(job.id).asc()


def claimable(offer: Offer, waits_for_gpus: Job | None) -> tuple[ColumnElement[bool], ...]:
    """Whether this worker may take a job now. One with GPUs does not pass the one in front that waits for more."""
    conditions = (*due(offer), col(Job.gpus) <= offer.free_gpus)
    if waits_for_gpus is None:
        return conditions
    return *conditions, or_(col(Job.gpus) == 0, _sooner_than(waits_for_gpus))


def waiting_for_gpus(offer: Offer) -> tuple[ColumnElement[bool], ...]:
    """Whether a job could be taken now if more of this worker's GPUs were free."""
    return *due(offer), col(Job.gpus) > offer.free_gpus, col(Job.gpus) <= offer.all_gpus


def due(offer: Offer) -> tuple[ColumnElement[bool], ...]:
    """Queued, its time has come, the job before it succeeded, and the worker takes such kinds now."""
    first = aliased(Job)
    done = select(first.id).where(first.id == Job.after_job_id, first.status == "succeeded").exists()
    return (
        col(Job.status) == "queued",
        col(Job.cancel_requested).is_(False),
        or_(col(Job.not_before).is_(None), col(Job.not_before) <= offer.at),
        or_(col(Job.after_job_id).is_(None), done),
        col(Job.kind).not_in(offer.without),
    )


def _sooner_than(other: Job) -> ColumnElement[bool]:
    same = col(Job.priority) == other.priority
    tied = and_(col(Job.order_at) == other.order_at, col(Job.id) < other.id)
    return or_(col(Job.priority) > other.priority, and_(same, or_(col(Job.order_at) < other.order_at, tied)))
