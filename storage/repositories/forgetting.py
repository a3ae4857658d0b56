"""Queries of forgetting a user and of forgetting what is old: whose calls, and everything made from them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import String, cast, delete, func
from sqlmodel import Session, SQLModel, col, select

from storage.tables import (
    Annotation,
    Dataset,
    DatasetVersion,
    Doubt,
    EvaluationOutput,
    Example,
    Feedback,
    LabelItem,
    LabelTask,
    LogEntry,
    Model,
    PreferencePair,
    Pseudonym,
    Resolution,
    ReviewItem,
    ReviewVote,
    TrainingRun,
)

STEP = 400
USER_TAG = "user_id"
"""The tag of an example that says whose call it was, once the call itself is gone."""


class Gone(NamedTuple):
    """A call that is about to go: how others refer to it, and where its marks stand."""

    id: int
    uid: str
    external_id: str | None
    trace_id: str | None
    texts: str


class ForgettingRepository:
    """Finds and deletes across the tables of the loop; the order of deletion is the caller's."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def calls_of(self, project_id: str, users: Collection[str], limit: int) -> list[Gone]:
        """Some calls of these users; after their deletion, the next ones."""
        texts = [cast(column, String) for column in (LogEntry.messages, LogEntry.reply, LogEntry.tags)]
        query: Any = select(LogEntry.id, LogEntry.uid, LogEntry.external_id, LogEntry.trace_id, *texts)
        query = query.where(LogEntry.project_id == project_id, col(LogEntry.user_id).in_(list(users)))
        rows = self.session.exec(query.order_by(col(LogEntry.id)).limit(limit))
        return [
            Gone(key, uid, external, trace, "\n".join(map(str, texts))) for key, uid, external, trace, *texts in rows
        ]

    def count_calls(self, project_id: str, users: Collection[str]) -> int:
        """How many calls these users made."""
        query = select(func.count()).select_from(LogEntry)
        return self.session.exec(
            query.where(LogEntry.project_id == project_id, col(LogEntry.user_id).in_(list(users)))
        ).one()

    def older_than(self, project_id: str, moment: datetime, limit: int) -> list[int]:
        """Ids of some calls from before this moment."""
        query: Any = select(LogEntry.id).where(LogEntry.project_id == project_id, LogEntry.created_at < moment)
        return list(self.session.exec(query.order_by(LogEntry.created_at).limit(limit)))

    def note_users(self, call_ids: Sequence[int]) -> None:
        """Before calls go but their examples stay: write down whose they were, so that they can be forgotten later."""
        for some in parts(call_ids):
            query = select(Example, LogEntry.user_id).where(Example.log_entry_id == LogEntry.id)
            query = query.where(col(LogEntry.id).in_(some), col(LogEntry.user_id).is_not(None))
            for example, user in self.session.exec(query):
                example.tags = {**example.tags, USER_TAG: user}
                self.session.add(example)
        self.session.flush()

    def examples_of(self, project_id: str, call_ids: Collection[int], users: Collection[str]) -> set[str]:
        """Examples made from these calls, and those that say they were this user's."""
        found: set[str] = set()
        for some in parts(call_ids):
            found |= set(self.session.exec(select(Example.id).where(col(Example.log_entry_id).in_(some))))
        query: Any = select(Example.id, Example.tags).join(Dataset, col(Dataset.id) == col(Example.dataset_id))
        query = query.where(Dataset.project_id == project_id, cast(Example.tags, String).like(f'%"{USER_TAG}"%'))
        return found | {key for key, tags in self.session.exec(query) if tags.get(USER_TAG) in users}

    def feedback_by(self, project_id: str, users: Collection[str]) -> int:
        """Delete what these users said about calls of others; how many."""
        return self._delete(Feedback, Feedback.given_by, users, Feedback.project_id == project_id)

    def pseudonyms(self, project_id: str, tokens: Collection[str]) -> int:
        """Delete what stands behind these marks; how many."""
        return self._delete(Pseudonym, Pseudonym.token, tokens, Pseudonym.project_id == project_id)

    def items_of(self, example_ids: Collection[str]) -> list[tuple[LabelItem, LabelTask]]:
        """Items of labeling tasks that show these examples."""
        found: list[tuple[LabelItem, LabelTask]] = []
        for some in parts(example_ids):
            query = select(LabelItem, LabelTask).where(LabelItem.task_id == LabelTask.id)
            found += self.session.exec(query.where(col(LabelItem.example_id).in_(some)))
        return found

    def delete_labels(self, example_ids: Collection[str]) -> int:
        """Delete items, answers, votes and decisions about these examples; how many items and agenda points."""
        ids = [key for some in parts(example_ids) for key in self._ids(LabelItem.id, LabelItem.example_id, some)]
        points = [key for some in parts(example_ids) for key in self._ids(ReviewItem.id, ReviewItem.example_id, some)]
        self._delete(Resolution, Resolution.example_id, example_ids)
        self._delete(PreferencePair, PreferencePair.example_id, example_ids)
        self._delete(ReviewVote, ReviewVote.item_id, points)
        self._delete(ReviewItem, ReviewItem.id, points)
        self._delete(Annotation, Annotation.item_id, ids)
        self._delete(LabelItem, LabelItem.id, ids)
        return len(ids) + len(points)

    def delete_outputs(self, example_ids: Collection[str]) -> int:
        """Delete what models answered to these examples in evaluations, and doubts about them; how many answers."""
        self._delete(Doubt, Doubt.example_id, example_ids)
        return self._delete(EvaluationOutput, EvaluationOutput.example_id, example_ids)

    def delete_examples(self, example_ids: Collection[str]) -> int:
        """Delete the examples; nothing may refer to them any more. How many."""
        return self._delete(Example, Example.id, example_ids)

    def versions(self, project_id: str) -> list[DatasetVersion]:
        """All frozen versions of the project's datasets, oldest first."""
        query = select(DatasetVersion).join(Dataset, col(Dataset.id) == col(DatasetVersion.dataset_id))
        return list(self.session.exec(query.where(Dataset.project_id == project_id).order_by(DatasetVersion.id)))

    def is_frozen_as(self, digest: str) -> bool:
        """Whether any version still consists of this artifact."""
        return self.session.exec(select(DatasetVersion.id).where(DatasetVersion.digest == digest)).first() is not None

    def models_of(self, version_ids: Collection[str]) -> list[tuple[str, str]]:
        """(id, name) of the models that were trained on these versions, and of those built upon them."""
        found: dict[str, str] = {}
        query: Any = select(Model.id, Model.name).join(TrainingRun, col(TrainingRun.id) == col(Model.training_run_id))
        waiting = [
            tuple(row) for row in self.session.exec(query.where(_among(TrainingRun.dataset_version_id, version_ids)))
        ]
        while waiting:
            found |= dict(waiting)
            children: Any = select(Model.id, Model.name).where(_among(Model.parent_id, [key for key, _ in waiting]))
            waiting = [tuple(row) for row in self.session.exec(children) if row[0] not in found]
        return sorted(found.items(), key=lambda each: each[1])

    def _ids(self, column: Any, among: Any, values: Sequence[str]) -> list[str]:
        return list(self.session.exec(select(column).where(col(among).in_(values))))

    def _delete(self, table: type[SQLModel], column: Any, values: Collection[Any], *conditions: Any) -> int:
        done = 0
        for some in parts(values):
            result: Any = self.session.execute(delete(table).where(col(column).in_(some), *conditions))
            done += int(result.rowcount)
        return done


def parts(values: Collection[Any]) -> Iterator[list[Any]]:
    """The values in lists short enough for one statement."""
    listed = list(values)
    return (listed[start : start + STEP] for start in range(0, len(listed), STEP))


def _among(column: Any, values: Collection[str]) -> Any:
    return col(column).in_(list(values))
