"""Job: anything longer than a second. Plumbing; the noun's own table is the history."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, Index, SQLModel

from storage.types import id_field, json_field, now, ref


class Job(SQLModel, table=True):
    """queued → starting → running → succeeded | failed | cancelled; `cancelling` in between."""

    __table_args__ = (Index("ix_job_queue", "status", "priority", "order_at"),)

    id: str = id_field()
    project_id: str | None = ref("project.id", nullable=True)
    kind: str = Field(max_length=60)
    title: str = ""
    spec: dict[str, Any] = json_field()
    status: str = Field(default="queued", index=True, max_length=16)
    priority: int = 0
    order_at: datetime = Field(default_factory=now)
    """Place in the queue among equals: the moment of asking, unless somebody moved it."""
    not_before: datetime | None = None
    """A job for tonight waits until then."""
    after_job_id: str | None = Field(default=None, index=True, max_length=32)
    """The job that must have succeeded first: the stage of a chain before this one."""
    gpus: int = 0
    attempt: int = 0
    interruptions: int = 0
    max_interruptions: int = 3
    host: str | None = None
    cancel_requested: bool = False
    cancel_at: datetime | None = None
    created_by: str = ""
    created_at: datetime = Field(default_factory=now)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    heartbeat_at: datetime | None = None
    progress: float = 0.0
    """0..1."""
    progress_from: float = 0.0
    """Where the present attempt took up, so that its pace can be told after a resume."""
    progress_text: str = ""
    exit_code: int | None = None
    error: str | None = None
    """A sentence for the user."""
    result: dict[str, Any] = json_field()


class JobEvent(SQLModel, table=True):
    """A state change of a job; append-only."""

    __tablename__ = "job_event"

    id: str = id_field()
    job_id: str = ref("job.id", ondelete="CASCADE")
    at: datetime = Field(default_factory=now)
    what: str = ""
