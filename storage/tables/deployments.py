"""Deployment (an alias callers use) → Release (how its traffic is split, append-only) → Revision (a served model)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel, UniqueConstraint

from storage.tables.logs import BigId
from storage.types import id_field, json_field, now, ref


class Deployment(SQLModel, table=True):
    """An alias that the gateway answers to."""

    __table_args__ = (UniqueConstraint("project_id", "alias"),)

    id: str = id_field()
    project_id: str = ref("project.id")
    alias: str = Field(max_length=120)
    rules: dict[str, Any] = json_field()
    """What its people set: {"guardrail", "smoke", "timeout_s"}; what is missing has the product's default."""
    created_at: datetime = Field(default_factory=now)


class Revision(SQLModel, table=True):
    """One model on one serving target. `desired` is what we want, `state` what is."""

    id: str = id_field()
    deployment_id: str = ref("deployment.id")
    model_id: str = ref("model.id")
    number: int
    target: str = "embedded"
    place_id: str | None = ref("serving_place.id", nullable=True)
    """Which configured place of that kind; null for what needs none, as embedded."""
    form: str = Field(default="merged", max_length=20)
    """merged (whole weights) or adapter (LoRA beside the base's weights)."""
    digest: str = ""
    """Manifest id of the weights it serves, so that a release can say which bytes answered."""
    strategy: str = Field(default="blue_green", max_length=20)
    """blue_green (beside what runs) or recreate (the place holds only one: the others stop first)."""
    spec: dict[str, Any] = json_field()
    desired: str = "running"
    """running or stopped."""
    state: str = "created"
    """created, exporting, launching, gating, ready, restarting, stopping, failed, stopped."""
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
    shadows: list[dict[str, Any]] = json_field(list)
    """[{"revision_id", "percent": 0..100}]: answer copies of calls, and nobody sees those answers."""
    evidence: dict[str, Any] = json_field()
    """Per revision with traffic: weights' digest, data version, evaluation, gates, override; what was known then."""
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


class ServingPlace(SQLModel, table=True):
    """A configured place where models are served: a container host, a server of somebody else's, a company."""

    __tablename__ = "serving_place"

    id: str = id_field()
    name: str = Field(max_length=40, unique=True)
    kind: str = Field(max_length=30)
    """Name in the catalog of serving targets."""
    url: str = ""
    encrypted_key: str = ""
    options: dict[str, Any] = json_field()
    created_by: str = ""
    created_at: datetime = Field(default_factory=now)


class TrafficMinute(SQLModel, table=True):
    """What one gateway saw of one route in one minute: attempts, so a server that fails is counted even when another
    answered for it.
    """

    __tablename__ = "traffic_minute"

    deployment_id: str = Field(foreign_key="deployment.id", primary_key=True, max_length=32)
    route: str = Field(primary_key=True, max_length=32)
    """A revision's id, or a model's id for a provider's model."""
    minute: int = Field(primary_key=True, sa_type=BigId)
    """Unix seconds of its start."""
    gateway: str = Field(primary_key=True, max_length=32)
    """Which gateway process counted."""
    shadow: bool = Field(default=False, primary_key=True)
    """Copies whose answers nobody saw, counted apart."""
    calls: int = 0
    errors: int = 0
    """The server's fault: no answer, a timeout, 401, 403, 404, 424, 429 or 5xx; callers' own mistakes are none."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency: list[int] = json_field(list)
    """Counts per bucket of milliseconds for whole answers; the buckets are the traffic module's."""
    first_token: list[int] = json_field(list)
    """The same for the first token of streams."""


class ShadowPair(SQLModel, table=True):
    """A call answered twice: by who was asked, and by a shadow whose answer nobody was shown."""

    __tablename__ = "shadow_pair"

    id: str = id_field()
    deployment_id: str = ref("deployment.id")
    revision_id: str = ref("revision.id")
    """The shadow."""
    log_uid: str = Field(index=True, max_length=40)
    """The call as it was answered."""
    messages: list[dict[str, Any]] = json_field(list)
    live_route: str = Field(default="", max_length=32)
    live_text: str = ""
    live_ms: float = 0.0
    shadow_text: str = ""
    shadow_ms: float = 0.0
    error: str | None = None
    """Why the shadow gave no answer."""
    created_at: datetime = Field(default_factory=now)
