"""What the explorer's index reads of captured calls: their narrow facts, what changed, where words occur."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Integer, RowMapping, String, case, cast, func, select
from sqlmodel import Session, col

from storage.repositories.log_conditions import flag, one_of
from storage.repositories.log_criteria import FLAGS
from storage.repositories.log_search import SEARCH, loose_query, matches_sqlite, postgres_query, search_document
from storage.tables import LogChange, LogEntry, LogTag

SNIPPET = 180
IDS_AT_ONCE = 500
TEXTS = (
    *("project_id", "model", "served_model", "deployment_id", "revision_id", "provider_id", "api_key_id", "status"),
    *("endpoint", "source", "language", "template_id", "finish_reason", "rating"),
)
NUMBERS = ("latency_ms", "first_token_ms", "cost_usd", "prompt_tokens", "completion_tokens", "score")
OTHERS = ("user_id", "session_id", "signature")
FACTS = ("id", "moment", *TEXTS, *FLAGS, *NUMBERS, *OTHERS)
"""Names of what `facts` gives, in order; `moment` is in microseconds."""
ROW = (
    *("id", "uid", "created_at", "source", "model", "served_model", "status", "http_status", "stream", "latency_ms"),
    *("prompt_tokens", "completion_tokens", "cost_usd", "rating", "endpoint", "first_token_ms", "score", "language"),
    *("template_id", "session_id", "user_id", "trace_id", "span_id", "parent_span_id"),
)

Fact = tuple[Any, ...]


class LogIndexRepository:
    """Narrow reads over calls of all projects, in order of arrival."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.sqlite = session.get_bind().dialect.name == "sqlite"

    def newest(self) -> tuple[int, int]:
        """Ids of the newest call and of the newest change."""
        call, change = (select(func.max(each)).scalar_subquery() for each in (LogEntry.id, LogChange.id))
        found = self.session.execute(select(call, change)).one()
        return found[0] or 0, found[1] or 0

    def oldest_change(self) -> int:
        """Id of the oldest change that is still known; 0 where there is none."""
        return self.session.execute(select(func.min(LogChange.id))).scalar_one() or 0

    def count(self, upto: int) -> int:
        """All calls up to this id."""
        return int(self.session.execute(select(func.count()).where(col(LogEntry.id) <= upto)).scalar_one())

    def facts(self, after: int, upto: int, limit: int) -> list[Fact]:
        """Facts of the next calls after an id."""
        query = self._facts().where(col(LogEntry.id) > after, col(LogEntry.id) <= upto)
        return self._plain(query.order_by(col(LogEntry.id)).limit(limit))

    def facts_of(self, ids: Sequence[int]) -> list[Fact]:
        """Facts of these calls; those that are gone are left out."""
        return self._plain(self._facts().where(col(LogEntry.id).in_(ids)))

    def tags(self, after: int, upto: int) -> list[Fact]:
        """Project, name, value and call of the tags of calls between two ids, the first not in it."""
        return self._plain(self._tags().where(col(LogTag.log_entry_id) > after, col(LogTag.log_entry_id) <= upto))

    def tags_of(self, ids: Sequence[int]) -> list[Fact]:
        """Project, name, value and call of the tags of these calls."""
        return self._plain(self._tags().where(col(LogTag.log_entry_id).in_(ids)))

    def changes(self, after: int, limit: int) -> list[Fact]:
        """Ids of the next changes and of their calls."""
        query = select(col(LogChange.id), col(LogChange.log_entry_id)).where(col(LogChange.id) > after)
        return self._plain(query.order_by(col(LogChange.id)).limit(limit))

    def rows(self, ids: Sequence[int]) -> dict[int, RowMapping]:
        """What a list shows of these calls."""
        texts = (func.substr(getattr(LogEntry, f"{name}_text"), 1, SNIPPET).label(name) for name in ("prompt", "reply"))
        query = select(*(getattr(LogEntry, name) for name in ROW), *texts).where(col(LogEntry.id).in_(ids))
        return {row["id"]: row for row in self.session.execute(query).mappings()}

    def ids_with(self, project_id: str, column: str, values: Sequence[str], limit: int) -> list[int]:
        """Newest ids of the project's calls with one of these values in an indexed column."""
        found = select(col(LogEntry.id)).where(
            col(LogEntry.project_id) == project_id, one_of(getattr(LogEntry, column), values)
        )
        return list(self.session.execute(found.order_by(col(LogEntry.id).desc()).limit(limit)).scalars())

    def matching_before(self, words: str, below: int, limit: int) -> list[int]:
        """SQLite: ids of the newest calls below an id in which the words occur, newest first."""
        query = select(SEARCH.c.rowid).where(matches_sqlite(words)[0], SEARCH.c.rowid < below)
        return [row[0] for row in self._plain(query.order_by(SEARCH.c.rowid.desc()).limit(limit))]

    def matching_within(self, words: str, project_id: str, bits: int, stretch: int, loosely: bool = False) -> list[int]:
        """PostgreSQL: ids of the project's calls of one stretch of ids in which the words occur, or may occur."""
        lies = f"#p{project_id}", f"#{bits}.{stretch}"
        wanted = loose_query(words, *lies) if loosely else postgres_query(words, *lies)
        return [row[0] for row in self._plain(select(col(LogEntry.id)).where(search_document().op("@@")(wanted)))]

    def matching_of(self, words: str, project_id: str, ids: Sequence[int]) -> list[int]:
        """Those of a few calls of the project in which the words occur."""
        if self.sqlite:
            query = select(SEARCH.c.rowid).where(matches_sqlite(words)[0], SEARCH.c.rowid.in_(ids))
        else:
            found = search_document().op("@@")(postgres_query(words, f"#p{project_id}"))
            query = select(col(LogEntry.id)).where(found, col(LogEntry.id).in_(ids))
        return [row[0] for row in self._plain(query)]

    def _facts(self) -> Any:
        texts = (func.coalesce(getattr(LogEntry, name), "") for name in TEXTS)
        flags = (case((flag(name, self.sqlite), 1), else_=0) for name in FLAGS)
        others = (getattr(LogEntry, name) for name in (*NUMBERS, *OTHERS))
        return select(col(LogEntry.id), self._moment(), *texts, *flags, *others)

    def _moment(self) -> Any:
        at = cast(col(LogEntry.created_at), String)
        if self.sqlite:
            return cast(func.strftime("%s", at), Integer) * 1_000_000 + cast(func.substr(at, 21, 6), Integer)
        return cast(func.extract("epoch", col(LogEntry.created_at)) * 1_000_000, BigInteger)

    def _tags(self) -> Any:
        return select(col(LogTag.project_id), col(LogTag.name), col(LogTag.value), col(LogTag.log_entry_id))

    def _plain(self, query: Any) -> list[Fact]:
        """Rows as the driver gives them: a million of them cost seconds otherwise."""
        found: Any = self.session.connection().execute(query)
        rows: list[Fact] = found.cursor.fetchall()
        found.close()
        return rows
