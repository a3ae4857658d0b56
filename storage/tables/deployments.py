"""Deployment (an alias callers use) → Release (how its traffic is split, append-only) → Revision (a served model)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel, UniqueConstraint

from storage.types import id_field, json_field, now, ref


class Deployment(SQLModel, table=True):
    """An alias that the gateway answers to."""

    __table_args__ = (UniqueConstraint("project_id", "alias"),)

    id: str = id_field()
    project_id: str = ref("project.id")
    alias: str = Field(max_length=120)
    created_at: datetime = Field(default_factory=now)


class Revision(SQLModel, table=True):
    """One model on one serving target. `desired` is what we want, `state` what is."""

    id: str = id_field()
    deployment_id: str = ref("deployment.id")
    model_id: str = ref("model.id")
    number: int
    target: str = "embedded"
    spec: dict[str, Any] = json_field()
    desired: str = "running"
    """running or stopped."""
    state: str = "created"
    """created, exporting, launching, gating, ready, failed, stopped."""
    endpoint: str = ""
    dialect: str = "tgi"
    handle: str = ""
    """The target's own id of the running server (pid:start-time, container id)."""
    certificate: list[dict[str, Any]] = json_field(list)
    """Gates in order: {"gate", "passed", "evidence", "at"}."""
    error: str | None = None
    created_by: str = ""
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now)


class Release(SQLModel, table=True):
    """A traffic split; the newest of a deployment is in force, so promote and undo are one row each."""

    __table_args__ = (UniqueConstraint("deployment_id", "number"),)

    id: str = id_field()
    deployment_id: str = ref("deployment.id")
    number: int
    routes: list[dict[str, Any]] = json_field(list)
    """[{"model_id", "revision_id" | null, "weight": 0..100}]; a null revision is a provider's model."""
    reason: str = ""
    undo_of: str | None = Field(default=None, max_length=32)
    created_by: str = ""
    created_at: datetime = Field(default_factory=now)


class DeploymentEvent(SQLModel, table=True):
    """What happened to a deployment or revision, with the reason and log tail; append-only."""

    __tablename__ = "deployment_event"

    id: str = id_field()
    deployment_id: str = ref("deployment.id")
    revision_id: str | None = ref("revision.id", nullable=True)
    at: datetime = Field(default_factory=now)
    what: str
    detail: dict[str, Any] = json_field()
    who: str = ""
