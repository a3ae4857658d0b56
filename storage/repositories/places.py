"""Queries over places where runs may happen."""

from __future__ import annotations

from typing import ClassVar

from sqlmodel import col, select

from storage.repositories.base import Repository
from storage.repositories.jobs import ACTIVE
from storage.tables import ComputeTarget, Job, TrainingRun

UNDER_WAY = ("queued", *ACTIVE)


class PlaceRepository(Repository[ComputeTarget]):
    """Places by name."""

    table: ClassVar[type[ComputeTarget]] = ComputeTarget

    def named(self, name: str) -> ComputeTarget | None:
        """The place with this name."""
        return self.find_one(name=name)

    def every(self) -> list[ComputeTarget]:
        """All places, oldest first."""
        return self.find()

    def unfinished_runs(self, name: str) -> list[str]:
        """Names of runs that go on, or wait, at this place."""
        query = select(TrainingRun.name).join(Job, col(Job.id) == col(TrainingRun.job_id))
        return list(self.session.exec(query.where(TrainingRun.runner == name, col(Job.status).in_(UNDER_WAY))))
