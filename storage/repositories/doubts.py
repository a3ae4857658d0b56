"""Queries over doubts: what trained models do not believe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

from sqlalchemy import delete
from sqlmodel import col, select

from storage.repositories.base import Repository
from storage.tables import DatasetVersion, Doubt, Example, TrainingRun


class Doubted(NamedTuple):
    """An example, how surprising its answer is to the model (nats), and what the model says instead."""

    example_id: str
    surprise: float
    answer: str
    model: str


class DoubtRepository(Repository[Doubt]):
    """Doubts."""

    table: ClassVar[type[Doubt]] = Doubt

    def replace(self, run_id: str, doubts: Iterable[Doubt]) -> None:
        """Keep these as the run's doubts, instead of what an earlier attempt of it kept."""
        self.session.execute(delete(Doubt).where(col(Doubt.training_run_id) == run_id))
        self.session.add_all(doubts)
        self.session.flush()

    def of_newest_run(self, dataset_id: str) -> list[Doubted]:
        """The newest run's doubts about answers that are still as they were trained on, strongest first."""
        newest = select(Doubt.training_run_id).where(Doubt.dataset_id == dataset_id)
        run_id = self.session.exec(newest.order_by(col(Doubt.created_at).desc(), col(Doubt.id).desc()).limit(1)).first()
        query = (
            select(Doubt.example_id, Doubt.surprise, Doubt.answer, TrainingRun.name)
            .join(TrainingRun, col(TrainingRun.id) == col(Doubt.training_run_id))
            .join(Example, col(Example.id) == col(Doubt.example_id))
            .join(DatasetVersion, col(DatasetVersion.id) == col(TrainingRun.dataset_version_id))
            .where(Doubt.training_run_id == run_id, col(Example.updated_at) <= col(DatasetVersion.created_at))
        )
        return [Doubted(*row) for row in self.session.exec(query.order_by(col(Doubt.surprise).desc(), Doubt.id))]
