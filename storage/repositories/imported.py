"""What an import asks: which calls feedback is about, which of it is here already; and writing it in bulk."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, update
from sqlmodel import Session, col, select

from storage.tables import Feedback, LogEntry

AT_ONCE = 500
VERDICTS = ("rating", "correction", "score")
FOUND_BY = ("external_id", "trace_id", "span_id")


class ImportedRepository:
    """Feedback on many calls at once."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def known_feedback(self, project_id: str, external_ids: Collection[str]) -> set[str]:
        """Those of the ids that are here already."""
        known: set[str] = set()
        for some in _parts(external_ids):
            query = select(Feedback.external_id).where(Feedback.project_id == project_id)
            known |= {value for value in self.session.exec(query.where(col(Feedback.external_id).in_(some))) if value}
        return known

    def calls(self, project_id: str, column: str, values: Collection[str]) -> dict[str, list[int]]:
        """Ids of the calls whose external_id, trace_id or span_id is one of the values, in order of arrival."""
        found: dict[str, list[int]] = {}
        named = getattr(LogEntry, column)
        for some in _parts(values):
            query = select(named, LogEntry.id).where(LogEntry.project_id == project_id, named.in_(some))
            for value, number in self.session.execute(query.order_by(col(LogEntry.id))):
                found.setdefault(value, []).append(number)
        return found

    def newest(self, ids: Collection[int], kinds: Collection[str]) -> dict[tuple[int, str], datetime]:
        """When each kind of feedback was last given on these calls."""
        newest: dict[tuple[int, str], datetime] = {}
        for some in _parts(ids):
            query = (
                select(Feedback.log_entry_id, Feedback.kind, func.max(Feedback.created_at))
                .where(col(Feedback.log_entry_id).in_(some), col(Feedback.kind).in_(kinds))
                .group_by(col(Feedback.log_entry_id), Feedback.kind)
            )
            newest |= {(number, kind): at for number, kind, at in self.session.execute(query)}
        return newest

    def insert_feedback(self, rows: list[dict[str, Any]]) -> None:
        """Insert many rows at once."""
        if rows:
            self.session.execute(insert(Feedback), rows)

    def set_verdicts(self, verdicts: dict[int, dict[str, Any]]) -> None:
        """Put rating, correction and score beside the calls."""
        for names in {tuple(sorted(values)) for values in verdicts.values()}:
            rows = [{"id": number, **values} for number, values in verdicts.items() if tuple(sorted(values)) == names]
            self.session.execute(update(LogEntry), rows)


def _parts(values: Iterable[Any]) -> Iterator[list[Any]]:
    all_of_them = list(values)
    for start in range(0, len(all_of_them), AT_ONCE):
        yield all_of_them[start : start + AT_ONCE]
