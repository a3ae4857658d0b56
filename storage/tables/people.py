"""People and the ways they and their programs are recognised."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from storage.types import id_field, json_field, now, ref


class Person(SQLModel, table=True):
    """A teammate with a role: viewer, labeler, editor or admin."""

    id: str = id_field()
    username: str = Field(unique=True, max_length=60)
    password_hash: str = ""
    role: str = "viewer"
    active: bool = True
    created_at: datetime = Field(default_factory=now)


class Team(SQLModel, table=True):
    """A named group of people who are asked together."""

    id: str = id_field()
    name: str = Field(unique=True, max_length=60)
    members: list[str] = json_field(list)
    """Usernames."""
    created_at: datetime = Field(default_factory=now)


class SignIn(SQLModel, table=True):
    """A browser that is signed in; the cookie's SHA-256 is the key, so a stolen database signs nobody in."""

    __tablename__ = "sign_in"

    token_hash: str = Field(primary_key=True, max_length=64)
    person_id: str = ref("person.id", ondelete="CASCADE")
    created_at: datetime = Field(default_factory=now)
    expires_at: datetime


class SignInLink(SQLModel, table=True):
    """A one-time link that signs a person in once (first start, invitations)."""

    __tablename__ = "sign_in_link"

    token_hash: str = Field(primary_key=True, max_length=64)
    person_id: str = ref("person.id", ondelete="CASCADE")
    created_at: datetime = Field(default_factory=now)
    expires_at: datetime
    used_at: datetime | None = None


class ApiKey(SQLModel, table=True):
    """A program's key for the gateway; only its SHA-256 is kept."""

    __tablename__ = "api_key"

    id: str = id_field()
    project_id: str = ref("project.id")
    name: str = Field(max_length=80)
    prefix: str = Field(max_length=16)
    key_hash: str = Field(unique=True, max_length=64)
    created_at: datetime = Field(default_factory=now)
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    scopes: list[str] = json_field(list)
    """What it may do: infer, report, feedback, read; an empty list is a key from before scopes: all but read."""
    calls_per_minute: int | None = None
    tokens_per_minute: int | None = None


class AuditEvent(SQLModel, table=True):
    """Who did what to which noun; append-only."""

    __tablename__ = "audit_event"

    id: str = id_field()
    at: datetime = Field(default_factory=now, index=True)
    who: str
    what: str
    noun: str = ""
    detail: dict[str, object] = json_field()
