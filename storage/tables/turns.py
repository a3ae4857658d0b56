"""Turn: one time round the loop, started from what production taught."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel, UniqueConstraint

from storage.types import id_field, json_field, now, ref


class Turn(SQLModel, table=True):
    """Joins the feedback taken in to the version it made."""

    __table_args__ = (UniqueConstraint("project_id", "number"),)

    id: str = id_field()
    project_id: str = ref("project.id")
    number: int
    dataset_id: str = ref("dataset.id")
    dataset_version_id: str | None = ref("dataset_version.id", nullable=True)
    taken: dict[str, Any] = json_field()
    """Counts of calls, corrections and thumbs taken in."""
    created_by: str = ""
    created_at: datetime = Field(default_factory=now)
