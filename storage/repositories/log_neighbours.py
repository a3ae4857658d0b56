"""Calls beside a call: of its trace, its session, its prompt; and vectors of prompts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from storage.tables import LogEntry, LogVector

MOST_READ = 2_000
"""Calls of one session, trace or prompt that are looked at."""


class LogNeighbourRepository:
    """Reads around one call, each by an index."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def prompts(self, ids: Sequence[int]) -> list[tuple[int, str]]:
        """The last user turns of these calls."""
        query = select(col(LogEntry.id), col(LogEntry.prompt_text)).where(col(LogEntry.id).in_(ids))
        return [(number, text) for number, text in self.session.execute(query)]

    def along(self, entry: LogEntry, column: str) -> list[tuple[datetime, int]]:
        """Calls with this call's value in a column, itself among them: when each was made, and its id."""
        return self._with(entry, column, getattr(entry, column))

    def asked(self, entry: LogEntry, digest: int) -> list[tuple[datetime, int]]:
        """Calls of the project with a prompt of this hash."""
        return self._with(entry, "prompt_hash", digest)

    def _with(self, entry: LogEntry, column: str, value: Any) -> list[tuple[datetime, int]]:
        """By the column's own index: an ORDER BY would make databases walk through the calls by time instead."""
        if value is None:
            return []
        query = select(col(LogEntry.created_at), col(LogEntry.id)).where(
            col(LogEntry.project_id) == entry.project_id, getattr(LogEntry, column) == value
        )
        return sorted((at, number) for at, number in self.session.execute(query.limit(MOST_READ)))

    def vector(self, entry: LogEntry, model: str) -> bytes | None:
        """The call's vector by this model."""
        found = self.session.get(LogVector, entry.id)
        return found.vector if found and found.model == model else None

    def vectors(self, project_id: str, model: str, below: int | None, limit: int) -> list[tuple[int, bytes]]:
        """Vectors by this model of the project's newest calls below an id."""
        query = select(col(LogVector.log_entry_id), col(LogVector.vector)).where(
            col(LogVector.project_id) == project_id, col(LogVector.model) == model
        )
        if below is not None:
            query = query.where(col(LogVector.log_entry_id) < below)
        ordered = query.order_by(col(LogVector.log_entry_id).desc()).limit(limit)
        return [(number, vector) for number, vector in self.session.execute(ordered)]

    def without_vector(self, project_id: str, model: str, below: int | None, limit: int) -> list[tuple[int, str]]:
        """Newest calls with words and no vector by this model: id and last user turn."""
        made = select(col(LogVector.log_entry_id)).where(
            col(LogVector.log_entry_id) == LogEntry.id, col(LogVector.model) == model
        )
        query = select(col(LogEntry.id), col(LogEntry.prompt_text)).where(
            col(LogEntry.project_id) == project_id, col(LogEntry.prompt_text) != "", ~made.exists()
        )
        if below is not None:
            query = query.where(col(LogEntry.id) < below)
        return [
            (number, text)
            for number, text in self.session.execute(query.order_by(col(LogEntry.id).desc()).limit(limit))
        ]

    def still_there(self, ids: Sequence[int]) -> set[int]:
        """Those of the calls that were not deleted meanwhile."""
        return set(self.session.execute(select(col(LogEntry.id)).where(col(LogEntry.id).in_(ids))).scalars())

    def count_vectors(self, project_id: str, model: str) -> int:
        """How many calls have a vector by this model."""
        query = select(func.count()).where(col(LogVector.project_id) == project_id, col(LogVector.model) == model)
        return int(self.session.execute(query).scalar_one())
