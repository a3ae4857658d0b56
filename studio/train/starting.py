"""Putting runs in the queue: a run and its job appear together, and a chain's second run waits for its first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlmodel import Session

from storage.repositories.models import ModelRepository
from storage.repositories.training import TrainingRunRepository
from storage.tables import TrainingRun
from studio.access.actor import Actor
from studio.jobs.queue import Jobs
from studio.train import recipe
from studio.train.methods import Method, method
from studio.train.planning import Parts

LOCAL = "local"


@dataclass(frozen=True)
class Order:
    """How a run is queued, whatever it learns."""

    runner: str = LOCAL
    not_before: datetime | None = None
    priority: int = 0
    tags: Sequence[str] = ()
    parent_run_id: str | None = None
    sweep_id: str | None = None
    gpus: int = 0
    """GPUs of this machine that a run at another place takes all the same."""
    after: TrainingRun | None = None
    """The run whose model this one starts from."""

    def following(self, first: TrainingRun) -> Order:
        """The same for the next run of a chain, which waits for the one before it."""
        return replace(self, after=first, not_before=None)


@dataclass(frozen=True)
class Wanted:
    """What a run is to learn and how."""

    parts: Parts
    method: str
    recipe: dict[str, Any]
    studio: dict[str, Any]
    name: str
    preset: str = ""
    plan: dict[str, Any] = field(default_factory=dict)
    gpus: int = 0

    @property
    def way(self) -> Method:
        """The method."""
        return method(self.method)

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.recipe.get("seed") or 0)


def enqueue(session: Session, jobs: Jobs, actor: Actor, wanted: Wanted, order: Order) -> TrainingRun:
    """Add the run and its job in the caller's transaction."""
    runs = TrainingRunRepository(session)
    run = runs.add(_run(session, actor, wanted, order))
    job = jobs.enqueue(
        session,
        actor,
        "train",
        {"run_id": run.id},
        title=f"Train {run.name}",
        project_id=run.project_id,
        gpus=wanted.gpus if order.runner == LOCAL else order.gpus,
        priority=order.priority,
        not_before=order.not_before,
        after_job_id=order.after.job_id if order.after else None,
    )
    run.job_id = job.id
    return run


def free_name(name: str, taken: set[str]) -> str:
    """The name, or the name with the first free number."""
    names = (name[:110] if number == 1 else f"{name[:110]}-{number}" for number in range(1, len(taken) + 2))
    return next(candidate for candidate in names if candidate not in taken)


def digest_of(wanted: Wanted, after: TrainingRun | None) -> str:
    """The content hash of a run. In a chain the earlier run's hash stands for the base that it will make."""
    base = wanted.parts.base
    start = f"after:{after.recipe_digest}" if after else base.digest or f"{base.hub_id}@{base.hub_revision}"
    return recipe.digest(wanted.recipe, wanted.studio, wanted.parts.version.digest, start)


def _run(session: Session, actor: Actor, wanted: Wanted, order: Order) -> TrainingRun:
    project_id = wanted.parts.dataset.project_id
    taken = TrainingRunRepository(session).names(project_id) | ModelRepository(session).names(project_id)
    return TrainingRun(
        project_id=project_id,
        dataset_version_id=wanted.parts.version.id,
        base_model_id=wanted.parts.base.id,
        name=free_name(wanted.name, taken),
        method=wanted.method,
        preset=wanted.preset,
        recipe=wanted.recipe,
        studio=recipe.STUDIO_DEFAULTS | wanted.studio,
        recipe_digest=digest_of(wanted, order.after),
        seed=wanted.seed,
        plan=wanted.plan,
        after_run_id=order.after.id if order.after else None,
        parent_run_id=order.parent_run_id,
        sweep_id=order.sweep_id,
        runner=order.runner,
        tags=list(order.tags),
        created_by=actor.username,
    )
