"""Queries over labeling tasks, their items, people's answers and what was decided."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import String, cast, func
from sqlmodel import Session, col, delete, select

from storage.repositories.base import Repository
from storage.tables import (
    Annotation,
    Dataset,
    Example,
    Guideline,
    HumanCeiling,
    LabelItem,
    LabelTask,
    Project,
    Resolution,
)

STEP = 500


class LabelTaskRepository(Repository[LabelTask]):
    """Tasks sent to teammates."""

    table: ClassVar[type[LabelTask]] = LabelTask

    def of_dataset(self, dataset_id: str) -> list[LabelTask]:
        """The dataset's tasks, newest first."""
        query = select(LabelTask).where(LabelTask.dataset_id == dataset_id)
        return list(self.session.exec(query.order_by(col(LabelTask.created_at).desc())))

    def of_project(self, project_id: str) -> list[LabelTask]:
        """The project's tasks, newest first."""
        query = select(LabelTask).join(Dataset, col(Dataset.id) == col(LabelTask.dataset_id))
        query = query.where(Dataset.project_id == project_id)
        return list(self.session.exec(query.order_by(col(LabelTask.created_at).desc())))

    def project_of(self, task: LabelTask) -> Project:
        """The project that the task's dataset belongs to."""
        query = select(Project).join(Dataset, col(Dataset.project_id) == col(Project.id))
        return self.session.exec(query.where(Dataset.id == task.dataset_id)).one()


class LabelItemRepository(Repository[LabelItem]):
    """Examples inside tasks."""

    table: ClassVar[type[LabelItem]] = LabelItem

    def of_task(self, task_id: str) -> list[LabelItem]:
        """Every item of the task, by id."""
        return list(self.session.exec(select(LabelItem).where(LabelItem.task_id == task_id).order_by(LabelItem.id)))

    def page(
        self, task_id: str, after: str = "", limit: int = STEP, lacking: int | None = None
    ) -> list[tuple[LabelItem, Example]]:
        """One keyset page of items with their examples; `lacking` keeps those with fewer submitted answers than it."""
        query = select(LabelItem, Example).where(LabelItem.example_id == Example.id, LabelItem.task_id == task_id)
        if lacking is not None:
            given = select(Annotation.item_id).where(Annotation.task_id == task_id, Annotation.status == "submitted")
            enough = given.group_by(col(Annotation.item_id)).having(func.count() >= lacking)
            query = query.where(col(LabelItem.id).not_in(enough))
        query = query.where(LabelItem.id > after).order_by(LabelItem.id).limit(limit)
        return list(self.session.exec(query))

    def with_examples(self, task_id: str) -> Iterator[tuple[LabelItem, Example]]:
        """Every item with its example, a page in memory at a time."""
        after = ""
        while page := self.page(task_id, after):
            yield from page
            after = page[-1][0].id

    def by_ids(self, task_id: str, ids: Collection[str]) -> dict[str, LabelItem]:
        """Those of these items that are the task's, by id."""
        found: dict[str, LabelItem] = {}
        some = list(ids)
        for start in range(0, len(some), STEP):
            query = select(LabelItem).where(col(LabelItem.id).in_(some[start : start + STEP]))
            found |= {row.id: row for row in self.session.exec(query.where(LabelItem.task_id == task_id))}
        return found

    def gold_ids(self, task_id: str) -> list[str]:
        """Ids of the task's gold questions."""
        query: Any = select(LabelItem.id).where(LabelItem.task_id == task_id, cast(LabelItem.gold, String) != "{}")
        return list(self.session.exec(query))


class AnnotationRepository(Repository[Annotation]):
    """Our own copy of people's answers."""

    table: ClassVar[type[Annotation]] = Annotation

    def of_task(self, task_id: str, status: str | None = None) -> list[Annotation]:
        """The task's answers, by item and person."""
        query = select(Annotation).where(Annotation.task_id == task_id)
        query = query.where(Annotation.status == status) if status else query
        return list(self.session.exec(query.order_by(Annotation.item_id, Annotation.annotator)))

    def of_items(self, item_ids: Collection[str], status: str | None = "submitted") -> dict[str, list[Annotation]]:
        """Answers by item; without a status drafts and discards too."""
        found: dict[str, list[Annotation]] = {}
        ids = list(item_ids)
        for start in range(0, len(ids), STEP):
            query = select(Annotation).where(col(Annotation.item_id).in_(ids[start : start + STEP]))
            query = query.where(Annotation.status == status) if status else query
            for row in self.session.exec(query.order_by(Annotation.annotator)):
                found.setdefault(row.item_id, []).append(row)
        return found

    def tally(self, task_id: str) -> list[tuple[str, str, int]]:
        """(annotator, status, how many)."""
        keys = (Annotation.annotator, Annotation.status)
        query: Any = select(*keys, func.count()).where(Annotation.task_id == task_id).group_by(*keys)
        return [tuple(row) for row in self.session.exec(query)]

    def last_answers(self, task_id: str) -> dict[str, datetime]:
        """When each person last submitted an answer."""
        latest = func.max(col(Annotation.answered_at))
        query: Any = select(Annotation.annotator, latest).where(Annotation.task_id == task_id)
        query = query.where(Annotation.status == "submitted").group_by(Annotation.annotator)
        return {name: _utc(at) for name, at in self.session.exec(query)}

    def moments(self, task_id: str, annotators: Collection[str]) -> dict[str, list[datetime]]:
        """When these people submitted their answers, oldest first."""
        query: Any = select(Annotation.annotator, Annotation.answered_at).where(Annotation.task_id == task_id)
        query = query.where(Annotation.status == "submitted", col(Annotation.annotator).in_(list(annotators)))
        found: dict[str, list[datetime]] = {}
        for name, at in self.session.exec(query.order_by(col(Annotation.answered_at))):
            found.setdefault(name, []).append(_utc(at))
        return found

    def seconds(self, task_id: str) -> dict[str, list[float]]:
        """How long each person took for their submitted answers, where it can be told."""
        query: Any = select(Annotation.annotator, Annotation.seconds).where(Annotation.task_id == task_id)
        query = query.where(Annotation.status == "submitted", col(Annotation.seconds).is_not(None))
        found: dict[str, list[float]] = {}
        for name, taken in self.session.exec(query):
            found.setdefault(name, []).append(taken)
        return found

    def complete_items(self, task_id: str, needed: int) -> int:
        """Items with at least this many submitted answers."""
        per_item = select(Annotation.item_id).where(Annotation.task_id == task_id, Annotation.status == "submitted")
        enough = per_item.group_by(col(Annotation.item_id)).having(func.count() >= needed).subquery()
        return self.session.exec(select(func.count()).select_from(enough)).one()

    def waiting_for(self, task_id: str, username: str, needed: int) -> int:
        """Items that lack answers and that this person neither answered nor discarded."""
        done = select(Annotation.item_id).where(Annotation.task_id == task_id, Annotation.annotator == username)
        done = done.where(Annotation.status != "draft")
        full = select(Annotation.item_id).where(Annotation.task_id == task_id, Annotation.status == "submitted")
        full = full.group_by(col(Annotation.item_id)).having(func.count() >= needed)
        query = select(func.count()).select_from(LabelItem).where(LabelItem.task_id == task_id)
        return self.session.exec(query.where(col(LabelItem.id).not_in(done), col(LabelItem.id).not_in(full))).one()


class ResolutionRepository(Repository[Resolution]):
    """What items were decided to mean."""

    table: ClassVar[type[Resolution]] = Resolution

    def of_task(self, task_id: str) -> dict[str, Resolution]:
        """Resolutions by item."""
        query = select(Resolution).where(Resolution.task_id == task_id)
        return {row.item_id: row for row in self.session.exec(query) if row.item_id}

    def disputed(self, project_id: str, task_id: str | None = None) -> list[tuple[Resolution, LabelItem, Example]]:
        """What people disagree about and nobody decided yet, oldest first."""
        query = select(Resolution, LabelItem, Example).where(
            Resolution.item_id == LabelItem.id, Resolution.example_id == Example.id, Resolution.verdict == "disputed"
        )
        query = query.join(Dataset, col(Dataset.id) == col(Example.dataset_id)).where(Dataset.project_id == project_id)
        query = query.where(Resolution.task_id == task_id) if task_id else query
        return list(self.session.exec(query.order_by(col(Resolution.item_id))))

    def count_disputed(self, project_id: str) -> int:
        """How many resolutions of the project wait for a decision."""
        query = select(func.count()).select_from(Resolution).join(Example, col(Example.id) == Resolution.example_id)
        query = query.join(Dataset, col(Dataset.id) == col(Example.dataset_id))
        return self.session.exec(query.where(Dataset.project_id == project_id, Resolution.verdict == "disputed")).one()

    def verdicts(self, task_id: str) -> dict[str, int]:
        """How many items per verdict."""
        query: Any = select(Resolution.verdict, func.count()).where(Resolution.task_id == task_id)
        return dict(self.session.exec(query.group_by(Resolution.verdict)).all())


class GuidelineRepository(Repository[Guideline]):
    """Versions of tasks' guidelines."""

    table: ClassVar[type[Guideline]] = Guideline

    def of_task(self, task_id: str) -> list[Guideline]:
        """The task's versions, newest first."""
        query = select(Guideline).where(Guideline.task_id == task_id)
        return list(self.session.exec(query.order_by(col(Guideline.version).desc())))


class CeilingRepository(Repository[HumanCeiling]):
    """How well people agree, per task and question."""

    table: ClassVar[type[HumanCeiling]] = HumanCeiling

    def of_dataset(self, dataset_id: str) -> list[HumanCeiling]:
        """The dataset's ceilings, newest first."""
        query = select(HumanCeiling).where(HumanCeiling.dataset_id == dataset_id)
        return list(self.session.exec(query.order_by(col(HumanCeiling.created_at).desc(), HumanCeiling.question)))

    def replace(self, task_id: str, rows: Collection[HumanCeiling]) -> None:
        """Put these in place of the task's."""
        self.session.exec(delete(HumanCeiling).where(col(HumanCeiling.task_id) == task_id))
        self.session.add_all(rows)
        self.session.flush()


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def repositories(
    session: Session,
) -> tuple[LabelTaskRepository, LabelItemRepository, AnnotationRepository, ResolutionRepository]:
    """The four repositories of this file on one session."""
    return (
        LabelTaskRepository(session),
        LabelItemRepository(session),
        AnnotationRepository(session),
        ResolutionRepository(session),
    )
