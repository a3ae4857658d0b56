"""A filter of calls as SQL conditions, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, case, cast, exists, false, func, literal_column
from sqlalchemy.orm import aliased
from sqlmodel import col, or_

from storage.repositories.log_criteria import (
    FLAGS,
    RANGE_CONDITIONS,
    TEXT_CONDITIONS,
    Criteria,
    range_of,
    values_of,
)
from storage.repositories.log_search import SEARCH, has_words, matches_postgres, matches_sqlite
from storage.tables import Feedback, LogEntry, LogHour, LogTag


def entry_conditions(criteria: Criteria, sqlite: bool) -> list[ColumnElement[bool]]:
    """Conditions on `log_entry`, every one a filter can have."""
    found: list[Any] = [col(LogEntry.project_id) == criteria.project_id]
    for name, column_name in TEXT_CONDITIONS.items():
        if values := values_of(criteria, name):
            found.append(one_of(column_of(column_name), values))
    for name in RANGE_CONDITIONS:
        found += _within(column_of(name), *range_of(criteria, name))
    if criteria.ratings:
        found.append(one_of(col(LogEntry.rating), ["" if value == "none" else value for value in criteria.ratings]))
    if criteria.source:
        found.append(col(LogEntry.source) == criteria.source)
    if criteria.has:
        found.append(or_(*(flag(name, sqlite) for name in criteria.has if name in FLAGS), false()))
    found += [_tagged(criteria.project_id, name, value) for name, value in criteria.tags]
    found += _between(col(LogEntry.created_at), criteria.since, criteria.until)
    if has_words(criteria):
        found += matches_sqlite(criteria.text) if sqlite else matches_postgres(criteria)
    return found


def column_of(name: str) -> Any:
    """A column of `log_entry` by its name."""
    return getattr(LogEntry, name)


def flag(name: str, sqlite: bool) -> Any:
    """Whether a call has one of FLAGS."""
    if name == "feedback":
        return exists().where(col(Feedback.log_entry_id) == LogEntry.id)
    if name == "correction":
        return col(LogEntry.correction).is_not(None)
    if name == "stream":
        return col(LogEntry.stream)
    if name == "tool_calls":
        return _calls_tools(sqlite)
    stored = cast(column_of(name), String)
    return stored.not_in(("[]", "{}", "null"))


def _calls_tools(sqlite: bool) -> Any:
    reply = col(LogEntry.reply)
    if sqlite:
        return func.coalesce(func.json_array_length(reply, "$.tool_calls"), 0) > 0
    calls = reply.op("->")(literal_column("'tool_calls'"))
    listed = case((func.json_typeof(calls) == "array", func.json_array_length(calls)), else_=0)
    return listed > 0


def order_column(criteria: Criteria, sqlite: bool) -> Any:
    """The id to page by: the search index's own where there is a search, so that it stops after a page."""
    return SEARCH.c.rowid if sqlite and has_words(criteria) else col(LogEntry.id)


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


def one_of(column: Any, values: Sequence[str]) -> ColumnElement[bool]:
    """Among these values; the empty text stands for a column without a value."""
    among: ColumnElement[bool] = column.in_(values)
    return or_(among, column.is_(None)) if "" in values else among


def _within(column: Any, low: float | None, high: float | None) -> list[Any]:
    above = [column >= low] if low is not None else []
    return above + ([column <= high] if high is not None else [])


def _tagged(project_id: str, name: str, value: str) -> Any:
    tag = aliased(LogTag)
    same = (col(tag.project_id) == project_id, col(tag.name) == name, col(tag.value) == value)
    return exists().where(*same, col(tag.log_entry_id) == LogEntry.id)


def _between(moment: Any, since: datetime | None, until: datetime | None) -> list[Any]:
    after = [moment >= since] if since else []
    return after + ([moment < until] if until else [])
