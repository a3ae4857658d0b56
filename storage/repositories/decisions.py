"""Queries over what was decided about examples: resolutions, the answers behind them, ratings, preference pairs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

from sqlmodel import col, select

from storage.repositories.base import Repository
from storage.tables import Annotation, LabelItem, LabelTask, PreferencePair, Resolution, ReviewItem, ReviewSession


class DecisionRepository(Repository[Resolution]):
    """What was decided, by whom and by which rule; collections of ids hold a few hundred at most."""

    table: ClassVar[type[Resolution]] = Resolution

    def by_ids(self, ids: Collection[str]) -> dict[str, Resolution]:
        """The resolutions with these ids."""
        query = select(Resolution).where(col(Resolution.id).in_(ids))
        return {row.id: row for row in self.session.exec(query)} if ids else {}

    def answers(self, item_ids: Collection[str]) -> dict[str, list[tuple[str, dict[str, Any]]]]:
        """(annotator, answers) of the submitted answers to these items, by item."""
        query: Any = select(Annotation.item_id, Annotation.annotator, Annotation.answers).order_by(Annotation.annotator)
        query = query.where(col(Annotation.item_id).in_(item_ids), Annotation.status == "submitted")
        found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for item_id, annotator, given in self.session.exec(query) if item_ids else ():
            found.setdefault(item_id, []).append((annotator, given))
        return found

    def answers_to(self, example_ids: Collection[str]) -> list[tuple[str, str, str, dict[str, Any]]]:
        """(example id, task id, the output people saw, answers) of the submitted answers about these examples."""
        query: Any = select(LabelItem.example_id, LabelItem.task_id, LabelItem.shown_output, Annotation.answers)
        query = query.join(Annotation, col(Annotation.item_id) == col(LabelItem.id))
        query = query.where(col(LabelItem.example_id).in_(example_ids), Annotation.status == "submitted")
        return [tuple(row) for row in self.session.exec(query)]

    def questions(self, dataset_id: str) -> dict[str, list[dict[str, Any]]]:
        """The questions about the answer's quality of each of the dataset's labeling tasks, by task.

        People's own questions may rate anything (how hard the request is), so they are left out.
        """
        query = select(LabelTask).where(LabelTask.dataset_id == dataset_id, LabelTask.template != "custom")
        tasks = self.session.exec(query)
        return {task.id: task.spec.get("questions", []) for task in tasks}

    def has_pairs(self, dataset_id: str) -> bool:
        """Whether people preferred any answer of this dataset to another."""
        return (
            self.session.exec(select(PreferencePair.id).where(PreferencePair.dataset_id == dataset_id)).first()
            is not None
        )

    def pairs(self, example_ids: Collection[str]) -> dict[str, list[PreferencePair]]:
        """Preference pairs by example."""
        query = select(PreferencePair).where(col(PreferencePair.example_id).in_(example_ids))
        found: dict[str, list[PreferencePair]] = {}
        for row in self.session.exec(query):
            found.setdefault(row.example_id, []).append(row)
        return found

    def history(self, example_id: str) -> list[tuple[Resolution, str | None, str | None]]:
        """Every resolution of the example with its task's name and its review session's title, oldest first."""
        query: Any = select(Resolution, LabelTask.name, ReviewSession.title).where(Resolution.example_id == example_id)
        query = query.outerjoin(LabelTask, col(LabelTask.id) == col(Resolution.task_id))
        query = query.outerjoin(ReviewItem, col(ReviewItem.id) == col(Resolution.review_item_id))
        query = query.outerjoin(ReviewSession, col(ReviewSession.id) == col(ReviewItem.session_id))
        return [tuple(row) for row in self.session.exec(query.order_by(col(Resolution.created_at), col(Resolution.id)))]
