"""A filter of calls as SQL conditions, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Integer, String, bindparam, column, func, literal_column, table, text
from sqlmodel import col, or_

from storage.tables import LogEntry, LogHour

SEARCH = table("log_search", column("rowid", Integer))
TOKENS = re.compile(r'"[^"]*"?|\S+')


class Criteria(Protocol):
    """What a filter of calls says."""

    @property
    def project_id(self) -> str:
        """Whose calls."""
        ...

    @property
    def text(self) -> str:
        """Words to search for."""
        ...

    @property
    def models(self) -> tuple[str, ...]:
        """Names the caller asked for."""
        ...

    @property
    def statuses(self) -> tuple[str, ...]:
        """Statuses."""
        ...

    @property
    def ratings(self) -> tuple[str, ...]:
        """up, down or none."""
        ...

    @property
    def tags(self) -> tuple[tuple[str, str], ...]:
        """Tags with their values."""
        ...

    @property
    def since(self) -> datetime | None:
        """Start of the time range."""
        ...

    @property
    def until(self) -> datetime | None:
        """End of the time range, not in it."""
        ...

    @property
    def source(self) -> str:
        """How the call came in."""
        ...


def entry_conditions(criteria: Criteria, sqlite: bool) -> list[ColumnElement[bool]]:
    """Conditions on `log_entry`."""
    found: list[Any] = [col(LogEntry.project_id) == criteria.project_id]
    if criteria.models:
        found.append(col(LogEntry.model).in_(criteria.models))
    if criteria.statuses:
        found.append(col(LogEntry.status).in_(criteria.statuses))
    if criteria.ratings:
        found.append(_rated(criteria.ratings))
    if criteria.source:
        found.append(col(LogEntry.source) == criteria.source)
    found += [col(LogEntry.tags)[name].as_string() == value for name, value in criteria.tags]
    found += _between(col(LogEntry.created_at), criteria.since, criteria.until)
    if has_words(criteria):
        found += _matches_sqlite(criteria.text) if sqlite else _matches_postgres(criteria.text)
    return found


def order_column(criteria: Criteria, sqlite: bool) -> Any:
    """The id to page by: the search index's own where there is a search, so that it stops after a page."""
    return SEARCH.c.rowid if sqlite and has_words(criteria) else col(LogEntry.id)


def has_words(criteria: Criteria) -> bool:
    """Whether there is something to search for; quotation marks alone are nothing."""
    return bool(criteria.text.strip(' "\t\n'))


def hour_conditions(criteria: Criteria) -> list[ColumnElement[bool]]:
    """Conditions on `log_hour`: those it knows, the time range in whole hours."""
    found: list[Any] = [col(LogHour.project_id) == criteria.project_id]
    if criteria.models:
        found.append(col(LogHour.model).in_(criteria.models))
    if criteria.statuses:
        found.append(col(LogHour.status).in_(criteria.statuses))
    if criteria.since:
        found.append(col(LogHour.hour) >= int(criteria.since.timestamp()) // 3600 * 3600)
    if criteria.until:
        found.append(col(LogHour.hour) < int(criteria.until.timestamp()))
    return found


def match_expression(words: str) -> str:
    """What a person typed as a safe FTS5 query: every token quoted, the last one a prefix while it is being typed."""
    tokens = TOKENS.findall(words)
    bare = [token.strip('"').replace('"', '""') for token in tokens]
    quoted = [f'"{token}"' for token in bare if token.strip()]
    if quoted and not words[-1:].isspace() and not tokens[-1].endswith('"'):
        quoted[-1] += "*"
    return " ".join(quoted)


def _matches_sqlite(words: str) -> list[Any]:
    matching = text("log_search MATCH :words").bindparams(bindparam("words", match_expression(words), String))
    return [matching, SEARCH.c.rowid == col(LogEntry.id)]


def _matches_postgres(words: str) -> list[Any]:
    simple: Any = literal_column("'simple'")
    document = col(LogEntry.prompt_text) + literal_column("' '") + col(LogEntry.reply_text)
    return [func.to_tsvector(simple, document).op("@@")(func.websearch_to_tsquery(simple, words))]


def _rated(ratings: tuple[str, ...]) -> ColumnElement[bool]:
    rating = col(LogEntry.rating)
    given = [value for value in ratings if value != "none"]
    return or_(rating.in_(given), rating.is_(None)) if "none" in ratings else rating.in_(given)


def _between(moment: Any, since: datetime | None, until: datetime | None) -> list[Any]:
    after = [moment >= since] if since else []
    return after + ([moment < until] if until else [])
