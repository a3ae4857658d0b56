"""Queries over captured calls: keyset pages, capped counts, what arrived already."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import RowMapping, func, literal, or_
from sqlalchemy.orm import aliased
from sqlmodel import SQLModel, col, select

from storage.repositories.log_conditions import entry_conditions, order_column
from storage.repositories.log_criteria import Criteria
from storage.repositories.log_writes import LONGEST_NAME, LONGEST_VALUE, LogWrites
from storage.tables import Feedback, LogEntry, LogTag

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


class LogEntryRepository(LogWrites):
    """Captured calls: questions here, changes in `LogWrites`."""

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
        while batch := self.batch_after(criteria, last, size):
            last = batch[-1].id or 0
            yield batch

    def batch_after(self, criteria: Criteria, last: int, size: int) -> list[LogEntry]:
        """The next matching calls after an id, in order of arrival."""
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

    def told_in_part(self, uids: Sequence[str], source: str) -> list[tuple[LogEntry, list[Feedback]]]:
        """Those of these calls of a source that hold no messages, or no time taken, with the feedback on each."""
        found: list[LogEntry] = []
        for start in range(0, len(uids), UIDS_AT_ONCE):
            part = uids[start : start + UIDS_AT_ONCE]
            query = select(LogEntry).where(col(LogEntry.uid).in_(part), LogEntry.source == source)
            found += self.session.exec(
                query.where(or_(col(LogEntry.prompt_hash).is_(None), col(LogEntry.latency_ms) == 0))
            )
        return [
            (entry, list(self.session.exec(select(Feedback).where(Feedback.log_entry_id == entry.id))))
            for entry in found
        ]

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
        """The newest calls that carry all of these tags; none where no tag is given."""
        marks = [aliased(LogTag) for _ in tags]
        if not marks:
            return []
        query: Any = select(marks[0].log_entry_id).where(*_marked(project_id, marks, tags))
        ids = self.session.exec(query.order_by(col(marks[0].log_entry_id).desc()).limit(limit)).all()
        found = self.session.exec(select(LogEntry).where(col(LogEntry.id).in_(ids)))
        return sorted(found, key=lambda entry: -(entry.id or 0))

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


def _marked(project_id: str, marks: Sequence[Any], tags: dict[str, str]) -> Iterator[Any]:
    """One alias of `log_tag` for each tag, all of the same call."""
    for mark, (name, value) in zip(marks, tags.items(), strict=True):
        yield mark.project_id == project_id
        yield mark.name == name[:LONGEST_NAME]
        yield mark.value == value[:LONGEST_VALUE]
        if mark is not marks[0]:
            yield mark.log_entry_id == marks[0].log_entry_id
