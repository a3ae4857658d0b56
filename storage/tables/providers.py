"""Provider: an upstream whose key the gateway holds, encrypted."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel, UniqueConstraint

from storage.types import id_field, json_field, now, ref


class Provider(SQLModel, table=True):
    """An upstream. Its key goes to `base_url`'s origin only, and is never stored or logged in clear."""

    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: str = id_field()
    project_id: str = ref("project.id")
    name: str = Field(max_length=80)
    kind: str = Field(default="openai", max_length=20)
    """How it is spoken to: openai (and all who speak like it) or anthropic."""
    base_url: str = Field(max_length=500)
    encrypted_key: str = ""
    models: list[str] = json_field(list)
    """Model names forwarded unchanged; `["*"]` forwards every name that no deployment claims."""
    prices: dict[str, dict[str, float]] = json_field()
    """Model name → USD per million tokens: {"prompt", "completion", "cached", "cache_write"}."""
    created_at: datetime = Field(default_factory=now)
