"""LabelTask → LabelItem → Annotation → Resolution: what people said, and what it was decided to mean."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel, UniqueConstraint

from storage.types import id_field, json_field, now, ref


class LabelTask(SQLModel, table=True):
    """Examples sent to teammates with questions and guidelines."""

    __tablename__ = "label_task"

    id: str = id_field()
    dataset_id: str = ref("dataset.id")
    name: str = Field(max_length=120)
    template: str = "verdict"
    guidelines: str = ""
    guideline_version: int = 1
    spec: dict[str, Any] = json_field()
    """Questions and sampling, as sent."""
    answers_per_item: int = 2
    assignees: list[str] = json_field(list)
    assignment: dict[str, Any] = json_field()
    """Who is asked for what: mode (anybody, split), teams and shares as chosen."""
    state: str = "draft"
    """draft, publishing, open, paused, closed."""
    deadline: datetime | None = None
    backend: str = "argilla"
    backend_ref: str = ""
    """The labeling back-end's own id of the task (Argilla dataset id)."""
    created_by: str = ""
    created_at: datetime = Field(default_factory=now)
    closed_at: datetime | None = None
    collected_at: datetime | None = None


class LabelItem(SQLModel, table=True):
    """One example inside a task."""

    __tablename__ = "label_item"
    __table_args__ = (UniqueConstraint("task_id", "example_id"),)

    id: str = id_field()
    task_id: str = ref("label_task.id", ondelete="CASCADE")
    example_id: str = ref("example.id")
    backend_ref: str = Field(default="", index=True)
    """The back-end's record id; empty until published."""
    shown_output: str = ""
    """The suggestion people saw."""
    asked: list[str] = json_field(list)
    """Usernames this item is assigned to; empty means anybody of the task."""
    candidates: list[dict[str, Any]] = json_field(list)
    """Answers to compare, each with `name` (a, b, c), `output` and `model`; the model's name is never shown."""
    gold: dict[str, Any] = json_field()
    """Known answers, question name → value, where the item measures people; empty on every other item."""
    reason: str = ""
    """Why the sample chose it."""


class Annotation(SQLModel, table=True):
    """One person's answer to one item: our own copy of every answer."""

    __table_args__ = (UniqueConstraint("item_id", "annotator"),)

    id: str = id_field()
    task_id: str = ref("label_task.id", ondelete="CASCADE")
    item_id: str = ref("label_item.id", ondelete="CASCADE")
    annotator: str = Field(max_length=120)
    status: str = "submitted"
    """submitted, draft, discarded."""
    answers: dict[str, Any] = json_field()
    """Question name → value."""
    guideline_version: int = 1
    answered_at: datetime = Field(default_factory=now)
    seconds: float | None = None
    """Time spent on the item, where it can be told."""


class Resolution(SQLModel, table=True):
    """What an example's answers were decided to mean: by a labeling task's rule, or by people in a review session."""

    id: str = id_field()
    task_id: str | None = ref("label_task.id", nullable=True, ondelete="CASCADE")
    item_id: str | None = Field(
        default=None, foreign_key="label_item.id", unique=True, nullable=True, ondelete="CASCADE"
    )
    review_item_id: str | None = Field(
        default=None, foreign_key="review_item.id", unique=True, nullable=True, ondelete="SET NULL"
    )
    example_id: str = ref("example.id")
    verdict: str = ""
    """confirmed, corrected, disputed, left_out."""
    output: str | None = None
    """The agreed answer; null when people disagree and nobody decided yet."""
    rule: str = ""
    """agreement, majority, review, single."""
    decided_by: str = ""
    created_at: datetime = Field(default_factory=now)


class Guideline(SQLModel, table=True):
    """One version of a task's guidelines; answers say which one they were given under."""

    __table_args__ = (UniqueConstraint("task_id", "version"),)

    id: str = id_field()
    task_id: str = ref("label_task.id", ondelete="CASCADE")
    version: int
    text: str
    changed_by: str = ""
    created_at: datetime = Field(default_factory=now)


class HumanCeiling(SQLModel, table=True):
    """How well people agree on a question of a task: what no model can be expected to beat on this dataset."""

    __tablename__ = "human_ceiling"
    __table_args__ = (UniqueConstraint("task_id", "question"),)

    id: str = id_field()
    dataset_id: str = ref("dataset.id")
    task_id: str = ref("label_task.id", ondelete="CASCADE")
    question: str = Field(max_length=120)
    percent: float
    """Share of equal pairs of answers, 0..100."""
    measure: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    created_at: datetime = Field(default_factory=now)


class PreferencePair(SQLModel, table=True):
    """Two answers to one prompt of which people preferred the first; frozen with a version for DPO."""

    __tablename__ = "preference_pair"

    id: str = id_field()
    dataset_id: str = ref("dataset.id")
    example_id: str = ref("example.id")
    chosen: str
    rejected: str
    source: str = "ranking"
    """ranking (people ranked), review (a session decided)."""
    task_id: str | None = ref("label_task.id", nullable=True, ondelete="CASCADE")
    votes: int = 1
    """People who preferred the first."""
    against: int = 0
    """People who preferred the second; ties count for neither."""
    decided_by: str = ""
    created_at: datetime = Field(default_factory=now)
