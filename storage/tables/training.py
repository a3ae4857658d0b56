"""TrainingRun: how a tuned model came to be; what was rehearsed before it; and where else runs may happen."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from storage.types import id_field, json_field, now, ref


class TrainingRun(SQLModel, table=True):
    """A run = recipe + dataset version + base revision + seed. Live events are in the job's folder."""

    __tablename__ = "training_run"

    id: str = id_field()
    project_id: str = ref("project.id")
    dataset_version_id: str = ref("dataset_version.id")
    base_model_id: str = Field(foreign_key="model.id", index=True)
    """What it starts from; in a chain, set to the earlier run's model once there is one."""
    job_id: str | None = ref("job.id", nullable=True)
    name: str = Field(max_length=120)
    method: str = "sft"
    preset: str = ""
    recipe: dict[str, Any] = json_field()
    """Exactly what TRL reads."""
    studio: dict[str, Any] = json_field()
    """What only the studio reads: task metric, patience, rewards, mirrors ... (`recipe.STUDIO_DEFAULTS`)."""
    recipe_digest: str = Field(default="", max_length=64)
    seed: int = 0
    plan: dict[str, Any] = json_field()
    """What was advised and estimated before the start, to be checked against what happened."""
    summary: dict[str, Any] = json_field()
    """Final losses, tokens/s, wall time, peak memory."""
    card: dict[str, Any] = json_field()
    """What the run means in plain language: learned, fails at, overfit, forgot, next."""
    failure: dict[str, Any] = json_field()
    """Why the last attempt failed: rule, cause, evidence, fix."""
    after_run_id: str | None = Field(default=None, index=True, max_length=32)
    """The run before it in a chain: this one starts from that one's model."""
    parent_run_id: str | None = Field(default=None, index=True, max_length=32)
    """The run it was cloned from."""
    sweep_id: str | None = Field(default=None, index=True, max_length=32)
    """Runs of one sweep share it."""
    runner: str = Field(default="local", max_length=40)
    """Where it runs: local, or the name of a compute target."""
    handle: str = ""
    """What that place calls the run."""
    note: str = ""
    tags: list[str] = json_field(list)
    created_by: str = ""
    created_at: datetime = Field(default_factory=now)
    finished_at: datetime | None = None


class Rehearsal(SQLModel, table=True):
    """Something tried out before a run, by a job: one batch and a few steps, or the worth of more labels."""

    id: str = id_field()
    project_id: str = ref("project.id")
    dataset_version_id: str = ref("dataset_version.id")
    base_model_id: str = Field(foreign_key="model.id", index=True)
    job_id: str | None = ref("job.id", nullable=True)
    kind: str = Field(max_length=30)
    """batch (what the model sees, and how fast it learns) or labels (what more of them would bring)."""
    method: str = "sft"
    key: str = Field(default="", index=True, max_length=64)
    """Digest of everything that the result depends on."""
    result: dict[str, Any] = json_field()
    created_by: str = ""
    created_at: datetime = Field(default_factory=now)
    finished_at: datetime | None = None


class ComputeTarget(SQLModel, table=True):
    """A place other than this machine where runs may happen: a Ray cluster, HF Jobs, a hosted trainer."""

    __tablename__ = "compute_target"

    id: str = id_field()
    name: str = Field(max_length=40, unique=True)
    kind: str = Field(max_length=30)
    """Name in the catalog of runners: accelerate, ray, hf_jobs, together, fireworks, openai, bedrock ..."""
    url: str = ""
    encrypted_key: str = ""
    options: dict[str, Any] = json_field()
    price_per_hour: float = 0.0
    """USD; what the estimate of a run's cost multiplies its hours by."""
    created_by: str = ""
    created_at: datetime = Field(default_factory=now)
