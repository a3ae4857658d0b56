"""Calls beside a call: of its trace, its session, its prompt; and vectors of prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from storage.tables import LogEntry, LogVector


class LogNeighbourRepository:
    """Reads around one call, each by an index."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def prompts(self, ids: Sequence[int]) -> list[tuple[int, str]]:
        """The last user turns of these calls."""
        query = select(col(LogEntry.id), col(LogEntry.prompt_text)).where(col(LogEntry.id).in_(ids))
        return [(number, text) for number, text in self.session.execute(query)]

    def same_prompt(self, entry: LogEntry, limit: int) -> list[int]:
        """Other calls that asked exactly the same, newest first."""
        if entry.prompt_hash is None:
            return []
        query = self._of(entry).where(col(LogEntry.prompt_hash) == entry.prompt_hash, col(LogEntry.id) != entry.id)
        return list(self.session.execute(query.order_by(col(LogEntry.id).desc()).limit(limit)).scalars())

    def along(self, entry: LogEntry, column: str, limit: int) -> list[int]:
        """Calls with this call's value in a column, itself among them, in order of time."""
        value = getattr(entry, column)
        if value is None:
            return []
        query = self._of(entry).where(getattr(LogEntry, column) == value)
        order = (col(LogEntry.created_at), col(LogEntry.id))
        return list(self.session.execute(query.order_by(*order).limit(limit)).scalars())

    def asked_before(self, entry: LogEntry, digest: int) -> LogEntry | None:
        """The newest call before this one with a prompt of this hash."""
        query: Any = select(LogEntry).where(
            col(LogEntry.project_id) == entry.project_id,
            col(LogEntry.prompt_hash) == digest,
            col(LogEntry.created_at) <= entry.created_at,
            col(LogEntry.id) != entry.id,
        )
        return self._first(query)

    def before_in_session(self, entry: LogEntry) -> LogEntry | None:
        """The call before this one in its session."""
        if entry.session_id is None:
            return None
        query: Any = select(LogEntry).where(
            col(LogEntry.project_id) == entry.project_id,
            col(LogEntry.session_id) == entry.session_id,
            col(LogEntry.created_at) < entry.created_at,
        )
        return self._first(query)

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

    def _of(self, entry: LogEntry) -> Any:
        return select(col(LogEntry.id)).where(col(LogEntry.project_id) == entry.project_id)

    def _first(self, query: Any) -> LogEntry | None:
        order = (col(LogEntry.created_at).desc(), col(LogEntry.id).desc())
        found: LogEntry | None = self.session.execute(query.order_by(*order).limit(1)).scalars().first()
        return found
