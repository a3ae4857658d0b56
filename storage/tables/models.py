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
    """provider (answers over HTTP), base (weights to start from), tuned (made by a training run), reward (scores)."""
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
