"""Queries over models."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from sqlmodel import col, select

from storage.repositories.base import Repository
from storage.tables import Model


class ModelRepository(Repository[Model]):
    """Registered models."""

    table: ClassVar[type[Model]] = Model

    def of_project(self, project_id: str, kinds: Collection[str] | None = None) -> list[Model]:
        """The project's models, newest first."""
        query = select(Model).where(Model.project_id == project_id)
        if kinds is not None:
            query = query.where(col(Model.kind).in_(kinds))
        return list(self.session.exec(query.order_by(col(Model.created_at).desc(), col(Model.id).desc())))

    def names(self, project_id: str) -> set[str]:
        """Names that are taken in the project."""
        return set(self.session.exec(select(Model.name).where(Model.project_id == project_id)))

    def made_by(self, training_run_id: str) -> Model | None:
        """The model that a training run made, once it has."""
        return self.find_one(training_run_id=training_run_id)

    def built_by(self, project_id: str, job_id: str) -> Model | None:
        """The base model that a job built, once it has."""
        bases = self.of_project(project_id, ("base",))
        return next((base for base in bases if base.facts.get("job_id") == job_id), None)

    def imported_by(self, project_id: str, job_id: str) -> Model | None:
        """The tuned model that a job took in from elsewhere, once it has."""
        tuned = self.of_project(project_id, ("tuned",))
        return next((model for model in tuned if model.facts.get("imported", {}).get("job_id") == job_id), None)
