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


def claimable(offer: Offer) -> tuple[ColumnElement[bool], ...]:
    """Whether this worker may take a job now."""
    return *_due(Job, offer), col(Job.gpus) <= offer.free_gpus, _passes_no_waiting_gpu_job(offer)


def _due(job: type[Job], offer: Offer) -> tuple[ColumnElement[bool], ...]:
    """Queued, its time has come, the job before it succeeded, and the worker takes such kinds now."""
    first = aliased(Job)
    done = select(first.id).where(first.id == job.after_job_id, first.status == "succeeded").exists()
    return (
        col(job.status) == "queued",
        col(job.cancel_requested).is_(False),
        or_(col(job.not_before).is_(None), col(job.not_before) <= offer.at),
        or_(col(job.after_job_id).is_(None), done),
        col(job.kind).not_in(offer.without),
    )


def _passes_no_waiting_gpu_job(offer: Offer) -> ColumnElement[bool]:
    """A job with GPUs waits behind one in front that this worker could run once more of them are free."""
    front = aliased(Job)
    waits = and_(*_due(front, offer), col(front.gpus) > offer.free_gpus, col(front.gpus) <= offer.all_gpus)
    sooner = or_(
        col(front.priority) > Job.priority,
        and_(
            col(front.priority) == Job.priority,
            or_(
                col(front.order_at) < col(Job.order_at),
                and_(col(front.order_at) == col(Job.order_at), col(front.id) < col(Job.id)),
            ),
        ),
    )
    return or_(col(Job.gpus) == 0, ~select(front.id).where(waits, sooner).exists())
