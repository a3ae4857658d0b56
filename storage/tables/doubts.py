"""Doubt: an example that a model trained on it still does not believe; often a wrong label."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from storage.types import id_field, now, ref


class Doubt(SQLModel, table=True):
    """How much a tuned model resists one of the rows it learned from."""

    id: str = id_field()
    dataset_id: str = ref("dataset.id")
    example_id: str = ref("example.id", ondelete="CASCADE")
    training_run_id: str = ref("training_run.id")
    surprise: float
    """Nats: minus the log probability of the row's whole answer under the model."""
    answer: str = ""
    """What the model says instead."""
    created_at: datetime = Field(default_factory=now)
