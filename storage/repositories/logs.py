"""Queries over captured calls: keyset pages, capped counts, what arrived already."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import RowMapping, func, insert, literal
from sqlmodel import Session, SQLModel, col, select

from storage.repositories.base import Repository
from storage.repositories.log_conditions import Criteria, entry_conditions, order_column
from storage.tables import LogEntry

SNIPPET = 180
UIDS_AT_ONCE = 500
LIST_COLUMNS = (
    LogEntry.id,
    LogEntry.uid,
    LogEntry.created_at,
    LogEntry.source,
    LogEntry.model,
    LogEntry.served_model,
    LogEntry.status,
    LogEntry.http_status,
    LogEntry.stream,
    LogEntry.latency_ms,
    LogEntry.prompt_tokens,
    LogEntry.completion_tokens,
    LogEntry.cost_usd,
    LogEntry.rating,
)


class LogEntryRepository(Repository[LogEntry]):
    """Captured calls."""

    table = LogEntry

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.sqlite = session.get_bind().dialect.name == "sqlite"

    def insert(self, rows: list[dict[str, Any]]) -> None:
        """Insert many rows at once."""
        if rows:
            self.session.execute(insert(LogEntry), rows)

    def page(self, criteria: Criteria, before: int | None, after: int | None, limit: int) -> list[RowMapping]:
        """List columns of one page, newest first; `before` and `after` are ids."""
        number = order_column(criteria, self.sqlite)
        query = self._matching(
            criteria,
            *LIST_COLUMNS,
            func.substr(LogEntry.prompt_text, 1, SNIPPET).label("prompt"),
            func.substr(LogEntry.reply_text, 1, SNIPPET).label("reply"),
        )
        if after is not None:
            newer = query.where(number > after).order_by(number.asc()).limit(limit)
            return list(reversed(self.session.execute(newer).mappings().all()))
        if before is not None:
            query = query.where(number < before)
        return list(self.session.execute(query.order_by(number.desc()).limit(limit)).mappings().all())

    def count_to(self, criteria: Criteria, most: int) -> int:
        """How many match, counting no further than `most`."""
        inner = self._matching(criteria, literal(1)).limit(most).subquery()
        return int(self.session.execute(select(func.count()).select_from(inner)).scalar_one())

    def batches(self, criteria: Criteria, size: int = 500) -> Iterator[list[LogEntry]]:
        """Matching calls in order of arrival, a batch at a time, so that memory stays flat."""
        last = 0
        while batch := self._batch(criteria, last, size):
            last = batch[-1].id or 0
            yield batch

    def _batch(self, criteria: Criteria, last: int, size: int) -> list[LogEntry]:
        number = order_column(criteria, self.sqlite)
        query = select(LogEntry).where(*entry_conditions(criteria, self.sqlite), number > last)
        return list(self.session.exec(query.order_by(number.asc()).limit(size)))

    def by_uid(self, project_id: str, uid: str) -> LogEntry | None:
        """The call a caller knows by this id."""
        return self.find_one(project_id=project_id, uid=uid)

    def by_uids(self, project_id: str, uids: Sequence[str]) -> list[LogEntry]:
        """The project's calls with these ids, in order of arrival; those that have not arrived are left out."""
        found: list[LogEntry] = []
        for start in range(0, len(uids), UIDS_AT_ONCE):
            part = uids[start : start + UIDS_AT_ONCE]
            query = select(LogEntry).where(LogEntry.project_id == project_id, col(LogEntry.uid).in_(part))
            found += self.session.exec(query)
        return sorted(found, key=lambda entry: entry.id or 0)

    def known_uids(self, uids: Collection[str]) -> set[str]:
        """Those of the uids that are here already."""
        return self._known(LogEntry.uid, uids)

    def known_external_ids(self, project_id: str, external_ids: Collection[str]) -> set[str]:
        """Those of the project's external ids that are here already."""
        return self._known(LogEntry.external_id, external_ids, LogEntry.project_id == project_id)

    def known_references(self, table: type[SQLModel], ids: Collection[str]) -> set[str]:
        """Those of the ids that exist in a table calls point to."""
        return self._known(table.id, ids)  # type: ignore[attr-defined]

    def with_tags(self, project_id: str, tags: dict[str, str], limit: int) -> list[LogEntry]:
        """The newest calls that carry all of these tags."""
        marked = [col(LogEntry.tags)[name].as_string() == value for name, value in tags.items()]
        query = select(LogEntry).where(LogEntry.project_id == project_id, *marked)
        return list(self.session.exec(query.order_by(col(LogEntry.id).desc()).limit(limit)))

    def recent_tags(self, project_id: str, limit: int) -> list[dict[str, str]]:
        """Tags of the newest calls."""
        query: Any = select(LogEntry.tags).where(LogEntry.project_id == project_id)
        return list(self.session.exec(query.order_by(col(LogEntry.id).desc()).limit(limit)))

    def newest_id(self, project_id: str) -> int:
        """Id of the newest call, 0 before the first one."""
        return self.session.exec(select(func.max(LogEntry.id)).where(LogEntry.project_id == project_id)).one() or 0

    def _matching(self, criteria: Criteria, *columns: Any) -> Any:
        return select(*columns).select_from(LogEntry).where(*entry_conditions(criteria, self.sqlite))

    def _known(self, column: Any, values: Iterable[str], *conditions: Any) -> set[str]:
        wanted = [value for value in values if value]
        if not wanted:
            return set()
        return set(self.session.exec(select(column).where(col(column).in_(wanted), *conditions)))
