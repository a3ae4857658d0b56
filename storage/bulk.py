"""Many rows into a table at once: plain `executemany` on SQLite, COPY on PostgreSQL.

The caller gives every column's value as the database stores it, so that no row passes through the object mapper.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg
from sqlalchemy import JSON, Table
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, SQLModel
from sqlmodel.sql.sqltypes import UTCDateTime

Stored = Callable[[Any], Any]


class BulkInsert:
    """Inserts rows of one table; the names of the columns are fixed."""

    def __init__(self, table: type[SQLModel], columns: Sequence[str] | None = None) -> None:
        made: Table = table.__table__  # type: ignore[attr-defined]
        self.table = made.name
        self.columns = list(columns or (column.name for column in made.columns))
        self._types = [made.columns[name].type for name in self.columns]

    def write(self, session: Session, rows: Iterable[Sequence[Any]]) -> None:
        """Insert the rows; values stand in the order of `columns`."""
        if session.get_bind().dialect.name == "sqlite":
            self._execute_many(session, rows)
        else:
            self._copy(session, rows)

    def _execute_many(self, session: Session, rows: Iterable[Sequence[Any]]) -> None:
        marks = ", ".join("?" * len(self.columns))
        statement = f'INSERT INTO "{self.table}" ({self._names()}) VALUES ({marks})'
        values = list(_stored(rows, [_on_sqlite(kind) for kind in self._types]))
        if values:
            session.connection().exec_driver_sql(statement, values)

    def _copy(self, session: Session, rows: Iterable[Sequence[Any]]) -> None:
        connection: Any = session.connection().connection.driver_connection
        statement = f'COPY "{self.table}" ({self._names()}) FROM STDIN'
        try:
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                for row in _stored(rows, [_on_postgres(kind) for kind in self._types]):
                    copy.write_row(row)
        except psycopg.Error as error:
            raise DBAPIError.instance(statement, None, error, psycopg.Error) from error

    def _names(self) -> str:
        return ", ".join(f'"{name}"' for name in self.columns)


def json_text(value: Any) -> str:
    """JSON that any database takes; what is no number in JSON becomes null. Text is taken for JSON already."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _stored(rows: Iterable[Sequence[Any]], kinds: list[Stored | None]) -> Iterable[Sequence[Any]]:
    changed = [(place, kind) for place, kind in enumerate(kinds) if kind]
    return _changed(rows, changed) if changed else rows


def _changed(rows: Iterable[Sequence[Any]], changed: list[tuple[int, Stored]]) -> Iterable[Sequence[Any]]:
    for row in rows:
        made = list(row)
        for place, kind in changed:
            made[place] = kind(made[place])
        yield tuple(made)


def _on_sqlite(kind: Any) -> Stored | None:
    if isinstance(kind, JSON):
        return json_text
    return _moment if isinstance(kind, UTCDateTime) else None


def _on_postgres(kind: Any) -> Stored | None:
    return json_text if isinstance(kind, JSON) else None


def _moment(value: datetime) -> str:
    """As SQLAlchemy writes it, so that comparisons of text are comparisons of time."""
    return value.astimezone(UTC).isoformat(" ", "microseconds")[:26]
