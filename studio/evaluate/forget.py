"""Forgetting examples in evaluations: what models answered to them goes; the summaries' figures stay."""

from __future__ import annotations

from collections.abc import Collection

from storage.database import Database
from storage.repositories.forgetting import ForgettingRepository


def forget_outputs(database: Database, example_ids: Collection[str]) -> int:
    """Delete the answers to these examples, and doubts about them; how many answers."""
    with database.write() as session:
        return ForgettingRepository(session).delete_outputs(example_ids)
