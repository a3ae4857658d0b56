"""JSON columns in SQL, for SQLite (json_each) and PostgreSQL (jsonpath): a scalar or a list, read the same way."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from argilla_server.search_engine.base import TermsFilter
from argilla_server.settings import settings
from sqlalchemy import Float, String, and_, case, cast, exists, func, literal, or_, select
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH


def is_postgresql() -> bool:
    """Whether Argilla's database is PostgreSQL (else SQLite)."""
    return bool(settings.database_is_postgresql)


def number(value: Any) -> float | None:
    """The value as a number, or None."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def json_path(*keys: str) -> str:
    """A JSON path to these keys."""
    return "$" + "".join('."{}"'.format(key.replace("\\", "").replace('"', "")) for key in keys)


def json_values(column: Any, path: str) -> tuple[Any, Any, Any]:
    """The values under `path` as (from-clause, text expression, number expression)."""
    if not is_postgresql():
        rows = func.json_each(column, path).table_valued("value", "type")
        value = rows.c.value
        return rows, cast(value, String), case((rows.c.type.in_(["integer", "real"]), value))
    where = cast(cast(literal(f"{path}[*]"), String), JSONPATH)
    rows = func.jsonb_path_query(cast(column, JSONB), where).table_valued(sa.column("value", JSONB)).render_derived()
    text = rows.c.value.op("#>>")(sa.text("'{}'"))
    return rows, text, case((func.jsonb_typeof(rows.c.value) == "number", cast(text, Float)))


def json_matches(column: Any, path: str, wanted: Any) -> Any:
    """A condition: some value under `path` is one of the terms, or lies in the range."""
    rows, text, as_number = json_values(column, path)
    if isinstance(wanted, TermsFilter):
        condition = _one_of(text, as_number, [str(value) for value in wanted.values])
    else:
        condition = in_range(as_number, number(wanted.ge), number(wanted.le))
    return exists(select(literal(1)).select_from(rows).where(condition).correlate_except(rows))


def in_range(expression: Any, lowest: Any, highest: Any) -> Any:
    """A condition: the expression lies between the bounds that are given."""
    conditions = []
    if lowest is not None:
        conditions.append(expression >= lowest)
    if highest is not None:
        conditions.append(expression <= highest)
    return and_(sa.true(), *conditions)


def _one_of(text: Any, as_number: Any, values: list[str]) -> Any:
    numbers = [found for found in map(number, values) if found is not None]
    return or_(text.in_(values), as_number.in_(numbers)) if numbers else text.in_(values)
