"""What a project decides about its captured calls: privacy, saved views; and the prompt templates found in them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary
from sqlmodel import Field, SQLModel, UniqueConstraint

from storage.types import id_field, json_field, now, ref

BigId = BigInteger().with_variant(Integer, "sqlite")


class CapturePolicy(SQLModel, table=True):
    """What of a project's calls is written down, and for how long. A project without a row keeps everything."""

    __tablename__ = "capture_policy"

    project_id: str = Field(foreign_key="project.id", primary_key=True)
    record: str = "full"
    """full, metadata (facts but no text) or off."""
    detectors: list[str] = json_field(list)
    """Kinds of personal data that are taken out before the first write: email, phone, card, ..."""
    patterns: list[dict[str, str]] = json_field(list)
    """The project's own: {"name", "pattern"}."""
    pseudonyms: bool = False
    """Whether a value that was taken out can be read again by an admin."""
    retention_days: int | None = None
    embedding_provider_id: str | None = ref("provider.id", nullable=True, index=False)
    embedding_model: str = Field(default="", max_length=200)
    """The model that "similar calls" asks for vectors; empty uses MinHash signatures."""
    updated_at: datetime = Field(default_factory=now)
    updated_by: str = ""


class Pseudonym(SQLModel, table=True):
    """What stands behind a pseudonym, sealed with this installation's key."""

    project_id: str = Field(foreign_key="project.id", primary_key=True)
    token: str = Field(primary_key=True, max_length=80)
    kind: str = Field(default="", max_length=40)
    sealed: str = ""
    created_at: datetime = Field(default_factory=now)


class SavedView(SQLModel, table=True):
    """A filter of calls that somebody gave a name."""

    __tablename__ = "saved_view"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: str = id_field()
    project_id: str = ref("project.id")
    name: str = Field(max_length=80)
    query: dict[str, Any] = json_field()
    """The filter as plain values (LogFilter.to_dict without the project), and how it is sorted."""
    created_by: str = ""
    created_at: datetime = Field(default_factory=now)


class PromptTemplate(SQLModel, table=True):
    """The constant parts of prompts that many calls share."""

    __tablename__ = "prompt_template"
    __table_args__ = (UniqueConstraint("project_id", "fingerprint"),)

    id: str = id_field()
    project_id: str = ref("project.id")
    fingerprint: str = Field(max_length=64)
    """Of role and constant parts; the same parts are the same template."""
    name: str = Field(default="", max_length=120)
    messages: list[dict[str, Any]] = json_field(list)
    """[{"role", "parts": [text or null]}]: null stands for what differs from call to call."""
    calls: int = 0
    first_seen: datetime = Field(default_factory=now)
    last_seen: datetime = Field(default_factory=now)
    previous_id: str | None = Field(default=None, max_length=32)
    """The template that this one is an edit of, where one is alike."""


class LogVector(SQLModel, table=True):
    """The embedding of a call's prompt, float32, unit length."""

    __tablename__ = "log_vector"

    log_entry_id: int = Field(foreign_key="log_entry.id", primary_key=True, sa_type=BigId, ondelete="CASCADE")
    project_id: str = ref("project.id")
    model: str = Field(default="", max_length=200)
    vector: bytes = Field(default=b"", sa_type=LargeBinary)
