"""Model: anything that answers (a provider's model, a base, a tuned one). TrainingRun: how a tuned one came to be."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel, UniqueConstraint

from storage.types import id_field, json_field, now, ref


class Model(SQLModel, table=True):
    """A registered model."""

    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: str = id_field()
    project_id: str = ref("project.id")
    name: str = Field(max_length=120)
    kind: str
    """provider (answers over HTTP), base (weights to start from), tuned (made by a training run)."""
    parent_id: str | None = ref("model.id", nullable=True)
    training_run_id: str | None = Field(default=None, index=True, max_length=32)
    """The run that made it (no foreign key: runs already point at their base model, and the two would be a cycle)."""
    provider_id: str | None = ref("provider.id", nullable=True)
    provider_model: str = ""
    digest: str = ""
    """Artifact manifest id of the weights in portable form; empty for provider and Hub models."""
    hub_id: str = ""
    hub_revision: str = ""
    parameters: int = 0
    facts: dict[str, Any] = json_field()
    """Architecture, licence, golden prompts recorded at export, ..."""
    created_at: datetime = Field(default_factory=now)


class TrainingRun(SQLModel, table=True):
    """A run = recipe + dataset version + base revision + seed. Live events are in the job's folder."""

    __tablename__ = "training_run"

    id: str = id_field()
    project_id: str = ref("project.id")
    dataset_version_id: str = ref("dataset_version.id")
    base_model_id: str = Field(foreign_key="model.id", index=True)
    job_id: str | None = ref("job.id", nullable=True)
    name: str = Field(max_length=120)
    method: str = "sft"
    recipe: dict[str, Any] = json_field()
    recipe_digest: str = Field(default="", max_length=64)
    seed: int = 0
    summary: dict[str, Any] = json_field()
    """Final losses, tokens/s, wall time, peak memory."""
    created_by: str = ""
    created_at: datetime = Field(default_factory=now)
    finished_at: datetime | None = None
