"""The hourly roll-up of calls, and how far each journal segment is drained."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, select

from storage.repositories.base import Repository
from storage.repositories.log_conditions import hour_conditions
from storage.repositories.log_criteria import Criteria
from storage.tables import JournalPosition, LogHour

KEY = ("project_id", "hour", "model", "served_model", "status")
SUMS = ("calls", "prompt_tokens", "completion_tokens", "cost_usd", "latency_ms")


class LogHourRepository(Repository[LogHour]):
    """Counts and sums by hour, model and status."""

    table = LogHour

    def add_entries(self, entries: list[dict[str, Any]]) -> None:
        """Count these new rows of `log_entry` in."""
        self._count(entries, 1)

    def take_out(self, entries: list[dict[str, Any]]) -> None:
        """Count these rows out again, since they are deleted."""
        self._count(entries, -1)
        self.session.execute(delete(LogHour).where(col(LogHour.calls) <= 0))

    def _count(self, entries: list[dict[str, Any]], sign: int) -> None:
        hours: dict[tuple[Any, ...], dict[str, float]] = defaultdict(lambda: dict.fromkeys(SUMS, 0))
        for entry in entries:
            sums = hours[_key(entry)]
            sums["calls"] += sign
            for name in SUMS[1:]:
                sums[name] += sign * entry[name]
        if hours:
            self._upsert([dict(zip(KEY, key, strict=True)) | sums for key, sums in sorted(hours.items())])

    def volume(self, criteria: Criteria, bucket_s: int) -> list[tuple[int, str, int, float]]:
        """Start of the bucket, status, calls and cost, in order of time."""
        bucket = (col(LogHour.hour) // bucket_s * bucket_s).label("bucket")
        query = (
            select(bucket, LogHour.status, func.sum(LogHour.calls), func.sum(LogHour.cost_usd))
            .where(*hour_conditions(criteria))
            .group_by(bucket, LogHour.status)
            .order_by(bucket, LogHour.status)
        )
        return [(int(at), status, int(calls), float(cost)) for at, status, calls, cost in self.session.exec(query)]

    def count_calls(self, criteria: Criteria) -> int:
        """Calls in the hours that match."""
        return self.session.exec(select(func.sum(LogHour.calls)).where(*hour_conditions(criteria))).one() or 0

    def totals(self, project_id: str, since: datetime | None) -> Any:
        """Calls, errors, cost, prompt tokens, completion tokens, summed latency since an hour."""
        failed = func.sum(LogHour.calls).filter(col(LogHour.status) != "ok")
        sums = [func.sum(getattr(LogHour, name)) for name in SUMS[1:]]
        query: Any = select(func.sum(LogHour.calls), failed, *sums).where(LogHour.project_id == project_id)
        if since:
            query = query.where(col(LogHour.hour) >= int(since.timestamp()) // 3600 * 3600)
        return self.session.exec(query).one()

    def by(self, column: str, project_id: str) -> dict[str, int]:
        """Calls by the values of `model`, `served_model` or `status`, most first."""
        values = getattr(LogHour, column)
        calls = func.sum(LogHour.calls)
        query = select(values, calls).where(LogHour.project_id == project_id).group_by(values).order_by(calls.desc())
        return {value: int(number) for value, number in self.session.exec(query)}

    def _upsert(self, rows: list[dict[str, Any]]) -> None:
        dialect = sqlite if self.session.get_bind().dialect.name == "sqlite" else postgresql
        new = dialect.insert(LogHour)
        more = {name: getattr(LogHour, name) + new.excluded[name] for name in SUMS}
        self.session.execute(new.on_conflict_do_update(index_elements=list(KEY), set_=more), rows)


class JournalPositionRepository(Repository[JournalPosition]):
    """Drained positions."""

    table = JournalPosition

    def of(self, segment: str) -> int:
        """How far the segment is drained."""
        row = self.get(segment)
        return row.offset if row else 0

    def all(self) -> dict[str, int]:
        """Every segment that is drained in part, and how far."""
        return {row.segment: row.offset for row in self.find()}

    def move(self, segment: str, start: int, end: int) -> bool:
        """Note that start..end is drained; False when somebody else has moved it meanwhile."""
        row = self.get(segment) or JournalPosition(segment=segment)
        if row.offset != start:
            return False
        row.offset = end
        self.add(row)
        return True

    def forget(self, segment: str) -> None:
        """Drop the position of a segment that is gone."""
        if row := self.get(segment):
            self.session.delete(row)


def _key(entry: dict[str, Any]) -> tuple[Any, ...]:
    hour = int(entry["created_at"].timestamp()) // 3600 * 3600
    return (entry["project_id"], hour, entry["model"], entry["served_model"], entry["status"])
