"""Dataset, its examples, and the immutable versions frozen from them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, Index, SQLModel, UniqueConstraint

from storage.tables.logs import BigId
from storage.types import id_field, json_field, now, ref


class Dataset(SQLModel, table=True):
    """A working set of examples of one task."""

    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: str = id_field()
    project_id: str = ref("project.id")
    name: str = Field(max_length=120)
    description: str = ""
    golden_percent: int = 10
    """Share of examples, by hash of the prompt, that is kept for evaluation and never trained on."""
    created_at: datetime = Field(default_factory=now)


class Example(SQLModel, table=True):
    """A prompt and the answer a model should give. Excluded examples stay, with the reason."""

    __table_args__ = (
        Index("ix_example_dataset_hash", "dataset_id", "prompt_hash"),
        Index("ix_example_dataset_split", "dataset_id", "excluded", "split", "id"),
        UniqueConstraint("dataset_id", "log_entry_id"),
    )

    id: str = id_field()
    dataset_id: str = ref("dataset.id")
    log_entry_id: int | None = Field(default=None, foreign_key="log_entry.id", index=True, sa_type=BigId)
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now)
    messages: list[dict[str, Any]] = json_field(list)
    """The prompt: every message before the answer."""
    tools: list[dict[str, Any]] = json_field(list)
    output: str = ""
    """The answer to learn; starts as the model's, becomes the people's."""
    original_output: str = ""
    """What the model answered when the call was captured."""
    output_source: str = "model"
    """model, correction (feedback), people (a labeling resolution), import."""
    verified: bool = False
    """A person confirmed or corrected `output`; only verified golden examples measure truth."""
    split: str = "train"
    prompt_hash: str = Field(default="", max_length=64)
    excluded: str | None = Field(default=None, index=True, max_length=60)
    """Why it is left out: duplicate, invalid_json, thumbs_down, error, by_hand ...; null = in."""
    rating: str | None = None
    tags: dict[str, Any] = json_field()
    resolution_id: str | None = Field(default=None, max_length=32)


class DatasetVersion(SQLModel, table=True):
    """A frozen, content-addressed snapshot (Parquet + manifest). Only versions are trained or evaluated on."""

    __tablename__ = "dataset_version"
    __table_args__ = (UniqueConstraint("dataset_id", "number"),)

    id: str = id_field()
    dataset_id: str = ref("dataset.id")
    number: int
    parent_id: str | None = ref("dataset_version.id", nullable=True)
    digest: str = Field(index=True, max_length=64)
    """SHA-256 id of the artifact manifest."""
    train_rows: int
    golden_rows: int
    verified_golden_rows: int = 0
    stats: dict[str, Any] = json_field()
    """Excluded counts by reason, output sources, token histogram, diff to the parent."""
    note: str = ""
    created_by: str = ""
    created_at: datetime = Field(default_factory=now)
