"""Queries over training runs."""

from __future__ import annotations

from typing import ClassVar

from sqlmodel import col, select

from storage.repositories.base import Repository
from storage.tables import Dataset, DatasetVersion, TrainingRun


class TrainingRunRepository(Repository[TrainingRun]):
    """Training runs."""

    table: ClassVar[type[TrainingRun]] = TrainingRun

    def of_project(self, project_id: str) -> list[TrainingRun]:
        """The project's runs, newest first."""
        query = select(TrainingRun).where(TrainingRun.project_id == project_id)
        return list(self.session.exec(query.order_by(col(TrainingRun.created_at).desc(), col(TrainingRun.id).desc())))

    def names(self, project_id: str) -> set[str]:
        """Names that are taken in the project."""
        return set(self.session.exec(select(TrainingRun.name).where(TrainingRun.project_id == project_id)))

    def finished_on(self, base_model_id: str) -> list[TrainingRun]:
        """Finished runs from this base, newest first: what later estimates learn from."""
        query = select(TrainingRun).where(
            TrainingRun.base_model_id == base_model_id, col(TrainingRun.finished_at).is_not(None)
        )
        return list(self.session.exec(query.order_by(col(TrainingRun.finished_at).desc()).limit(20)))

    def source(self, version_id: str) -> tuple[DatasetVersion, Dataset] | None:
        """A frozen version with its dataset."""
        query = select(DatasetVersion, Dataset).join(Dataset, col(Dataset.id) == col(DatasetVersion.dataset_id))
        found = self.session.exec(query.where(DatasetVersion.id == version_id)).first()
        return None if found is None else (found[0], found[1])
