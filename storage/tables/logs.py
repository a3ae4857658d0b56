"""LogEntry: one captured call. Feedback: what people and programs said about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Integer, event, text
from sqlmodel import Field, Index, SQLModel, UniqueConstraint

from storage.types import json_field, new_id, now, ref

BigId = BigInteger().with_variant(Integer, "sqlite")
ADD_WORDS = "INSERT INTO log_search(rowid, prompt_text, reply_text) VALUES (:id, :prompt, :reply)"


def _where_known(name: str, column: str) -> Index:
    """An index of the calls of a project that have a value in this column; most have none."""
    known = text(f"{column} IS NOT NULL")
    return Index(name, "project_id", column, sqlite_where=known, postgresql_where=known)


class LogEntry(SQLModel, table=True):
    """A call as it was made and answered. `id` orders by arrival (keyset pages); `uid` is what callers see."""

    __tablename__ = "log_entry"
    __table_args__ = (
        UniqueConstraint("project_id", "external_id"),
        Index("ix_log_entry_project_keyset", "project_id", "id"),
        Index("ix_log_entry_model_keyset", "project_id", "model", "id"),
        Index("ix_log_entry_status_keyset", "project_id", "status", "id"),
        Index("ix_log_entry_rating_keyset", "project_id", "rating", "id"),
        Index("ix_log_entry_time", "project_id", "created_at"),
        _where_known("ix_log_entry_trace", "trace_id"),
        _where_known("ix_log_entry_session", "session_id"),
        _where_known("ix_log_entry_user", "user_id"),
        _where_known("ix_log_entry_prompt_hash", "prompt_hash"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    uid: str = Field(default_factory=new_id, unique=True, max_length=40)
    project_id: str = Field(foreign_key="project.id")
    created_at: datetime = Field(default_factory=now)
    source: str = "gateway"
    external_id: str | None = Field(default=None, max_length=200)
    api_key_id: str | None = Field(default=None, max_length=32)

    model: str = Field(default="", max_length=200)
    """The name the caller asked for: an alias or a provider's model."""
    served_model: str = Field(default="", max_length=200)
    """The name that answered, as the upstream calls it."""
    deployment_id: str | None = ref("deployment.id", nullable=True)
    revision_id: str | None = ref("revision.id", nullable=True)
    provider_id: str | None = ref("provider.id", nullable=True)

    status: str = "ok"
    """ok, error (upstream or ours), aborted (the caller left), cut (the upstream stopped mid-stream)."""
    http_status: int = 200
    error: str | None = None
    stream: bool = False
    latency_ms: float = 0.0
    first_token_ms: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tokens_estimated: bool = False
    cost_usd: float = 0.0

    messages: list[dict[str, Any]] = json_field(list)
    tools: list[dict[str, Any]] = json_field(list)
    params: dict[str, Any] = json_field()
    """Everything else of the request body (temperature, response_format, ...)."""
    reply: dict[str, Any] = json_field()
    """The assistant message, tool calls included."""
    finish_reason: str | None = None
    tags: dict[str, Any] = json_field()
    prompt_text: str = ""
    """The last user turn as plain text: what lists show and search reads."""
    reply_text: str = ""
    rating: str | None = Field(default=None, max_length=8)
    """Latest thumbs feedback: up or down."""
    correction: str | None = None
    """Latest corrected output given as feedback."""
    score: float | None = None
    """Latest score given as feedback."""

    endpoint: str = Field(default="chat", max_length=16)
    """Which kind of call: chat, completions, embeddings, responses (OpenAI's) or messages (Anthropic's)."""
    choices: list[dict[str, Any]] = json_field(list)
    """Every choice as the server gave it, where it gave more than one or told log probabilities; else empty."""
    trace_id: str | None = Field(default=None, max_length=200)
    span_id: str | None = Field(default=None, max_length=200)
    parent_span_id: str | None = Field(default=None, max_length=200)
    session_id: str | None = Field(default=None, max_length=200)
    """The conversation or session that the caller named."""
    user_id: str | None = Field(default=None, max_length=200)
    """The caller's own user, as named by the caller: what deletion by user finds."""
    redactions: dict[str, int] = json_field()
    """How many values of each kind were taken out before the first write: {"email": 2}."""
    prompt_hash: int | None = Field(default=None, sa_type=BigId)
    """64 bits of the messages' and tools' hash: equal for calls that asked exactly the same."""

    language: str = Field(default="", max_length=8)
    """Of the last user turn, as an ISO 639-1 code; empty until enriched, or where the text is too short to tell."""
    template_id: str | None = Field(default=None, max_length=32)
    """The prompt template that the call was made from, once one is found."""
    signature: bytes | None = None
    """128 one-bit MinHashes of the prompt's shingles, 16 bytes (Li and König, "b-Bit Minwise Hashing", WWW 2010)."""


@event.listens_for(LogEntry, "after_insert")
def _add_words(_mapper: Any, connection: Any, call: LogEntry) -> None:
    """SQLite's text index of a call that is inserted by itself; `LogEntryRepository.insert` adds those of many."""
    if connection.dialect.name == "sqlite":
        words = {"id": call.id, "prompt": call.prompt_text, "reply": call.reply_text}
        connection.execute(text(ADD_WORDS), words)


class LogTag(SQLModel, table=True):
    """A tag of a call, to find calls by; the same as in `LogEntry.tags`.

    Without foreign keys: PostgreSQL would look up both for every tag, which doubles the time that a call takes to
    arrive. `LogEntryRepository` writes and deletes tags with their call.
    """

    __tablename__ = "log_tag"
    __table_args__ = ({"sqlite_with_rowid": False},)

    project_id: str = Field(primary_key=True)
    name: str = Field(primary_key=True, max_length=64)
    value: str = Field(primary_key=True, max_length=512)
    log_entry_id: int = Field(primary_key=True, index=True, sa_type=BigId)


class LogChange(SQLModel, table=True):
    """A call that changed or went after it was written; the explorer's index follows it by id."""

    __tablename__ = "log_change"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    project_id: str = Field(foreign_key="project.id")
    log_entry_id: int = Field(sa_type=BigId)
    """No foreign key: the call may be gone."""
    kind: str = Field(default="changed", max_length=8)
    """changed or deleted."""
    at: datetime = Field(default_factory=now)


class LogPosition(SQLModel, table=True):
    """How far a follower has read the calls in order of arrival (the enrichment, say)."""

    __tablename__ = "log_position"

    follower: str = Field(primary_key=True, max_length=60)
    log_entry_id: int = Field(default=0, sa_type=BigId)


class LogHour(SQLModel, table=True):
    """Hourly roll-up kept on ingest, so that counts and charts stay exact and instant."""

    __tablename__ = "log_hour"

    project_id: str = Field(foreign_key="project.id", primary_key=True)
    hour: int = Field(primary_key=True, sa_type=BigId)
    """Unix seconds of the hour's start."""
    model: str = Field(primary_key=True, max_length=200)
    served_model: str = Field(primary_key=True, max_length=200)
    status: str = Field(primary_key=True, max_length=16)
    calls: int = 0
    prompt_tokens: int = Field(default=0, sa_type=BigId)
    completion_tokens: int = Field(default=0, sa_type=BigId)
    cost_usd: float = 0.0
    latency_ms: float = 0.0


class JournalPosition(SQLModel, table=True):
    """How far a journal segment is drained; committed with the rows it yielded, so draining is exactly-once."""

    __tablename__ = "journal_position"

    segment: str = Field(primary_key=True, max_length=200)
    offset: int = Field(default=0, sa_type=BigId)


class Feedback(SQLModel, table=True):
    """A verdict on one call: thumbs, score, comment, correction or a named metric."""

    __table_args__ = (UniqueConstraint("project_id", "external_id"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    project_id: str = ref("project.id")
    log_entry_id: int = Field(foreign_key="log_entry.id", index=True, sa_type=BigId)
    created_at: datetime = Field(default_factory=now, index=True)
    kind: str
    name: str = ""
    value: float | None = None
    text: str | None = None
    given_by: str = ""
    source: str = "api"
    external_id: str | None = Field(default=None, max_length=200)
    """Its id where it comes from, so that the same feedback is taken once."""
