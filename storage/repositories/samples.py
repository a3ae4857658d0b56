"""Queries that sampling needs: narrow columns of a whole dataset at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar, NamedTuple

from sqlmodel import col, select

from storage.repositories.base import Repository
from storage.tables import Evaluation, EvaluationOutput, Example, Feedback, LabelItem, LabelTask, LogEntry, Model

LONGEST_PROMPT = 4000
STEP = 500


class Candidate(NamedTuple):
    """An example that may be sent."""

    id: str
    split: str
    verified: bool
    tags: dict[str, Any]


class Said(NamedTuple):
    """One piece of feedback on the call behind an example."""

    example_id: str
    kind: str
    name: str
    value: float | None


class ModelAnswer(NamedTuple):
    """What a model answered to an example when it was evaluated."""

    example_id: str
    model: str
    kind: str
    output: str


class SampleRepository(Repository[Example]):
    """Examples as samplers see them."""

    table: ClassVar[type[Example]] = Example

    def candidates(self, dataset_id: str) -> list[Candidate]:
        """Examples that are in, have an answer and are not out with an open task."""
        busy = select(LabelItem.example_id).join(LabelTask, col(LabelTask.id) == col(LabelItem.task_id))
        busy = busy.where(LabelTask.dataset_id == dataset_id, LabelTask.state != "closed")
        query: Any = select(Example.id, Example.split, Example.verified, Example.tags).where(
            Example.dataset_id == dataset_id,
            col(Example.excluded).is_(None),
            col(Example.output) != "",
            col(Example.id).not_in(busy),
        )
        return [Candidate(*row) for row in self.session.exec(query.order_by(Example.id))]

    def verified(self, dataset_id: str) -> list[str]:
        """Ids of examples that are in and that people verified."""
        query = select(Example.id).where(Example.dataset_id == dataset_id, col(Example.verified).is_(True))
        query = query.where(col(Example.excluded).is_(None), col(Example.output) != "")
        return list(self.session.exec(query.order_by(Example.id)))

    def outputs(self, ids: Collection[str]) -> dict[str, str]:
        """The examples' answers."""
        keys, found = list(ids), {}
        for start in range(0, len(keys), STEP):
            query: Any = select(Example.id, Example.output).where(col(Example.id).in_(keys[start : start + STEP]))
            found.update(dict(self.session.exec(query).all()))
        return found

    def ever_sent(self, dataset_id: str) -> set[str]:
        """Ids of examples that were in any task of the dataset."""
        query = select(LabelItem.example_id).join(LabelTask, col(LabelTask.id) == col(LabelItem.task_id))
        return set(self.session.exec(query.where(LabelTask.dataset_id == dataset_id)))

    def models_that_answered(self, dataset_id: str) -> dict[str, str]:
        """Example → name of the model that was asked when its call was captured."""
        query: Any = select(Example.id, LogEntry.model).join(LogEntry, col(LogEntry.id) == col(Example.log_entry_id))
        return dict(self.session.exec(query.where(Example.dataset_id == dataset_id)).all())

    def feedback(self, dataset_id: str) -> list[Said]:
        """Thumbs, scores and corrections on the calls behind the dataset's examples, oldest first."""
        query: Any = select(Example.id, Feedback.kind, Feedback.name, Feedback.value)
        query = query.join(Feedback, col(Feedback.log_entry_id) == col(Example.log_entry_id))
        query = query.where(Example.dataset_id == dataset_id, col(Feedback.kind).in_(("thumbs", "score", "correction")))
        return [Said(*row) for row in self.session.exec(query.order_by(Feedback.created_at, Feedback.id))]

    def model_answers(self, dataset_id: str) -> list[ModelAnswer]:
        """What evaluated models answered to the dataset's examples, oldest evaluation first; failed calls left out."""
        query: Any = select(Example.id, Model.name, Model.kind, EvaluationOutput.output)
        query = query.join(EvaluationOutput, col(EvaluationOutput.example_id) == col(Example.id))
        query = query.join(Model, col(Model.id) == col(EvaluationOutput.model_id))
        query = query.join(Evaluation, col(Evaluation.id) == col(EvaluationOutput.evaluation_id))
        query = query.where(Example.dataset_id == dataset_id, col(EvaluationOutput.error).is_(None))
        return [ModelAnswer(*row) for row in self.session.exec(query.order_by(Evaluation.created_at, Example.id))]

    def prompts(self, dataset_id: str, ids: Collection[str]) -> dict[str, str]:
        """The start of each example's last user turn as it was captured, else of its whole prompt."""
        query: Any = select(Example.id, LogEntry.prompt_text, Example.messages)
        query = query.join(LogEntry, col(LogEntry.id) == col(Example.log_entry_id), isouter=True)
        rows = self.session.exec(query.where(Example.dataset_id == dataset_id))
        return {key: (text or _plain(messages))[:LONGEST_PROMPT] for key, text, messages in rows if key in ids}


def _plain(messages: list[dict[str, Any]]) -> str:
    """The text of the last user turn; the whole list where there is none."""
    said = [each.get("content") for each in messages if each.get("role") == "user"]
    return said[-1] if said and isinstance(said[-1], str) else str(said or messages)
