"""Project: one GenAI feature of the team, with its own traffic, data and models."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from storage.types import id_field, now


class Project(SQLModel, table=True):
    """A feature whose calls go round the loop."""

    id: str = id_field()
    name: str = Field(unique=True, max_length=120)
    description: str = ""
    is_sample: bool = False
    created_at: datetime = Field(default_factory=now)
