"""Review sessions: an agenda of examples, blind votes, decisions with a name on them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel, UniqueConstraint

from storage.types import id_field, json_field, now, ref


class ReviewSession(SQLModel, table=True):
    """People deciding together on examples chosen by value; ends with minutes."""

    __tablename__ = "review_session"

    id: str = id_field()
    project_id: str = ref("project.id")
    dataset_id: str = ref("dataset.id")
    title: str = Field(max_length=120)
    source: dict[str, Any] = json_field()
    """Where the agenda came from: kind (task, feedback, conflicts) and its id."""
    task_id: str | None = ref("label_task.id", nullable=True, ondelete="SET NULL")
    state: str = "open"
    """open, closed."""
    chair: str = ""
    chair_revision: int = 0
    """The session's revision at which the chair last changed hands: optimistic lock of taking it."""
    people: list[str] = json_field(list)
    """Who is expected to vote; votes reveal when all of them who are present have voted."""
    minutes_planned: int = 30
    agreement_before: list[dict[str, Any]] = json_field(list)
    agreement_after: list[dict[str, Any]] = json_field(list)
    revision: int = 0
    """Goes up with every change anybody should see."""
    created_by: str = ""
    created_at: datetime = Field(default_factory=now)
    closed_at: datetime | None = None


class ReviewItem(SQLModel, table=True):
    """One example on the agenda, with the reason it is there."""

    __tablename__ = "review_item"
    __table_args__ = (UniqueConstraint("session_id", "position"), UniqueConstraint("session_id", "example_id"))

    id: str = id_field()
    session_id: str = ref("review_session.id", ondelete="CASCADE")
    position: int
    example_id: str = ref("example.id")
    label_item_id: str | None = ref("label_item.id", nullable=True, ondelete="SET NULL")
    reason: str = ""
    value: float = 0.0
    """What deciding it is worth; the agenda is ordered by it."""
    choices: list[dict[str, Any]] = json_field(list)
    """Answers to vote on: `output` and `by` (who stands by it; hidden until votes are revealed)."""
    state: str = "voting"
    """voting, revealed, decided."""
    decision: dict[str, Any] = json_field()
    """verdict, output, guideline rule, keep (train, golden), note; and what it replaced, for undo."""
    decided_by: str = ""
    decided_at: datetime | None = None
    revision: int = 0
    """Optimistic lock: a change names the revision it saw."""


class ReviewVote(SQLModel, table=True):
    """One person's blind vote on an item."""

    __tablename__ = "review_vote"
    __table_args__ = (UniqueConstraint("item_id", "person"),)

    id: str = id_field()
    item_id: str = ref("review_item.id", ondelete="CASCADE")
    person: str = Field(max_length=60)
    choice: int | None = None
    """Place of the chosen answer, from 0; null for an edited answer, a skip or a wish to discuss."""
    output: str | None = None
    """The answer they wrote themselves."""
    wish: str = "choose"
    """choose, edit, skip, discuss."""
    comment: str = ""
    voted_at: datetime = Field(default_factory=now)


class ReviewPresence(SQLModel, table=True):
    """Who is in the room now, where they are, and which of their keys arrived."""

    __tablename__ = "review_presence"
    __table_args__ = (UniqueConstraint("session_id", "person"),)

    id: str = id_field()
    session_id: str = ref("review_session.id", ondelete="CASCADE")
    person: str = Field(max_length=60)
    position: int = 0
    acked: int = 0
    """Number of the newest event from their browser that was carried out."""
    acks: dict[str, int] = json_field()
    """The same per browser tab that names itself, so that two tabs of one person lose nothing."""
    seen_at: datetime = Field(default_factory=now)
