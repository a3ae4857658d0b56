"""Evaluation: models compared on the golden examples of one version."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel, UniqueConstraint

from storage.types import id_field, json_field, now, ref


class Evaluation(SQLModel, table=True):
    """A comparison; `summary` holds each model's metrics with intervals and n."""

    id: str = id_field()
    project_id: str = ref("project.id")
    dataset_version_id: str = ref("dataset_version.id")
    job_id: str | None = ref("job.id", nullable=True)
    name: str = Field(max_length=120)
    model_ids: list[str] = json_field(list)
    scorers: list[dict[str, Any]] = json_field(list)
    """Scorer specs: name + arguments, enough to re-create them."""
    seed: int = 0
    verified_only: bool = True
    summary: dict[str, Any] = json_field()
    created_by: str = ""
    created_at: datetime = Field(default_factory=now)
    finished_at: datetime | None = None


class EvaluationOutput(SQLModel, table=True):
    """One model's answer to one golden example, with its scores."""

    __tablename__ = "evaluation_output"
    __table_args__ = (UniqueConstraint("evaluation_id", "model_id", "example_id"),)

    id: str = id_field()
    evaluation_id: str = ref("evaluation.id", ondelete="CASCADE")
    model_id: str = ref("model.id")
    example_id: str = Field(index=True, max_length=32)
    output: str = ""
    error: str | None = None
    latency_ms: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    scores: dict[str, float] = json_field()
