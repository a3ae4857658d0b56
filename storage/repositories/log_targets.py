"""Which calls somebody means: by our id, their own id, a trace, a span, a session or tags."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar

from sqlmodel import col, select

from storage.repositories.base import Repository
from storage.tables import LogEntry, LogTag

AT_ONCE = 500


class LogTargets(Repository[LogEntry]):
    """Calls by the names that callers know them by."""

    table: ClassVar[type[LogEntry]] = LogEntry

    def newest(self, project_id: str, most: int, **equal: str) -> list[LogEntry]:
        """The newest calls of the project with these values, oldest of them first."""
        query = select(LogEntry).filter_by(project_id=project_id, **equal)
        return list(reversed(self.session.exec(query.order_by(col(LogEntry.id).desc()).limit(most)).all()))

    def known(self, project_id: str, name: str, values: Collection[str]) -> set[str]:
        """Those of the values of a naming column that some call of the project has."""
        column: Any = getattr(LogEntry, name)
        found: set[str] = set()
        for some in _parts(list(values)):
            query = select(column).where(LogEntry.project_id == project_id, col(column).in_(some))
            found.update(self.session.exec(query))
        return found

    def known_tags(self, project_id: str, name: str, values: Collection[str]) -> set[str]:
        """Those of the values of a tag that some call of the project carries."""
        found: set[str] = set()
        for some in _parts(list(values)):
            query = select(LogTag.value).where(LogTag.project_id == project_id, LogTag.name == name)
            found.update(self.session.exec(query.where(col(LogTag.value).in_(some)).distinct()))
        return found


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    return (values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE))
