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
    state: str = "draft"
    """draft, publishing, open, closed."""
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


class Resolution(SQLModel, table=True):
    """What an item's answers were decided to mean for its example."""

    id: str = id_field()
    task_id: str = ref("label_task.id", ondelete="CASCADE")
    item_id: str = Field(foreign_key="label_item.id", unique=True, ondelete="CASCADE")
    example_id: str = ref("example.id")
    verdict: str = ""
    output: str | None = None
    """The agreed answer; null when people disagree and nobody decided yet."""
    rule: str = ""
    """agreement, majority, review, single."""
    decided_by: str = ""
    created_at: datetime = Field(default_factory=now)
