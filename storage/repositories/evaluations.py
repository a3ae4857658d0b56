"""Queries over evaluations and their outputs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, ClassVar

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, select

from storage.repositories.base import Repository
from storage.tables import Evaluation, EvaluationOutput, Model

ANSWER_COLUMNS = ("output", "error", "latency_ms", "prompt_tokens", "completion_tokens", "cost_usd", "scores")
STEP = 200


class EvaluationRepository(Repository[Evaluation]):
    """Evaluations."""

    table: ClassVar[type[Evaluation]] = Evaluation

    def of_project(self, project_id: str) -> list[Evaluation]:
        """The project's evaluations, newest first."""
        query = select(Evaluation).where(Evaluation.project_id == project_id)
        return list(self.session.exec(query.order_by(col(Evaluation.created_at).desc())))

    def models(self, ids: Collection[str]) -> list[Model]:
        """The models with these ids, in the order of the ids."""
        found = {row.id: row for row in self.session.exec(select(Model).where(col(Model.id).in_(list(ids))))}
        return [found[key] for key in ids if key in found]


class EvaluationOutputRepository(Repository[EvaluationOutput]):
    """Answers of models to golden examples, with their scores."""

    table: ClassVar[type[EvaluationOutput]] = EvaluationOutput

    def of(self, evaluation_id: str, model_ids: Collection[str] | None = None) -> list[EvaluationOutput]:
        """The answers of an evaluation, of these models or of all, by model and example."""
        query = select(EvaluationOutput).where(EvaluationOutput.evaluation_id == evaluation_id)
        if model_ids is not None:
            query = query.where(col(EvaluationOutput.model_id).in_(list(model_ids)))
        return list(self.session.exec(query.order_by(col(EvaluationOutput.model_id), col(EvaluationOutput.example_id))))

    def upsert(self, rows: Iterable[EvaluationOutput]) -> None:
        """Insert answers; one already there for the same evaluation, model and example is replaced."""
        values = [row.model_dump() for row in rows]
        dialect = sqlite if self.session.get_bind().dialect.name == "sqlite" else postgresql
        for start in range(0, len(values), STEP):
            statement: Any = dialect.insert(EvaluationOutput).values(values[start : start + STEP])
            changes = {name: statement.excluded[name] for name in ANSWER_COLUMNS}
            keys = ["evaluation_id", "model_id", "example_id"]
            self.session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes))
        self.session.flush()
