"""Queries of the enrichment: calls in order of arrival, what was found out about them, prompt templates."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, bindparam, func, update
from sqlmodel import col, select

from storage.repositories.base import Repository
from storage.tables import LogEntry, LogPosition, PromptTemplate


class EnrichmentRepository(Repository[LogPosition]):
    """Reads calls in order of arrival and writes what was found out."""

    table = LogPosition

    def position(self, follower: str) -> int:
        """The id of the last call that was read."""
        row = self.get(follower)
        return row.log_entry_id if row else 0

    def move(self, follower: str, start: int, end: int) -> bool:
        """Note that start..end is read; False when somebody else has moved it meanwhile."""
        row = self.get(follower) or LogPosition(follower=follower)
        if row.log_entry_id != start:
            return False
        row.log_entry_id = end
        self.add(row)
        return True

    def after(self, number: int, limit: int) -> list[RowMapping]:
        """The next calls: id, project, time, messages and the last user turn."""
        columns: Any = (LogEntry.id, LogEntry.project_id, LogEntry.created_at, LogEntry.messages, LogEntry.prompt_text)
        query = select(*columns).where(col(LogEntry.id) > number).order_by(col(LogEntry.id)).limit(limit)
        return list(self.session.execute(query).mappings())

    def write(self, found: list[dict[str, Any]]) -> None:
        """Language, signature and template of calls by their ids."""
        if not found:
            return
        entry: Any = LogEntry.__table__  # type: ignore[attr-defined]
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in ("language", "signature", "template_id")}
        statement = update(entry).where(entry.c.id == bindparam("call")).values(**values)
        self.session.connection().execute(
            statement, [{"call": row["id"], **{f"new_{name}": row[name] for name in values}} for row in found]
        )

    def assign(self, template_id: str, ids: list[int]) -> None:
        """Calls that were read before their template was found."""
        if ids:
            entry: Any = LogEntry.__table__  # type: ignore[attr-defined]
            self.session.connection().execute(update(entry).where(entry.c.id.in_(ids)).values(template_id=template_id))


class TemplateRepository(Repository[PromptTemplate]):
    """Prompt templates."""

    table = PromptTemplate

    def of_project(self, project_id: str) -> list[PromptTemplate]:
        """All of a project, most used first."""
        query = select(PromptTemplate).where(PromptTemplate.project_id == project_id)
        return list(self.session.exec(query.order_by(col(PromptTemplate.calls).desc(), PromptTemplate.id)))

    def used(self, template_id: str, calls: int, first: datetime, last: datetime) -> None:
        """Count calls in."""
        row = self.get(template_id)
        if row is not None:
            row.calls += calls
            row.first_seen, row.last_seen = min(row.first_seen, first), max(row.last_seen, last)
            self.session.add(row)

    def calls_of(self, project_id: str) -> int:
        """Calls of the project that were made from any template."""
        query = select(func.sum(PromptTemplate.calls)).where(PromptTemplate.project_id == project_id)
        return int(self.session.exec(query).one() or 0)
