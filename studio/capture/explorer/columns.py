"""The columns: narrow facts of all calls in a DuckDB file, a cache that is never the truth.

Everything about a call that has few values (model, status, language, ...) is one number, the call's `kind`: a filter
picks kinds, and one pass over one column counts every facet at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from storage.repositories.log_criteria import FLAGS
from storage.repositories.log_index import FACTS, NUMBERS, TEXTS, Fact

VERSION = "1"
MEMORY = "512MB"
THREADS = 4
KIND = (*TEXTS, *FLAGS)
TYPES = {
    **dict.fromkeys(("id", "moment"), pa.int64()),
    **dict.fromkeys(TEXTS, pa.string()),
    **dict.fromkeys(FLAGS, pa.int8()),
    **dict.fromkeys(NUMBERS, pa.float64()),
    **dict.fromkeys(("prompt_tokens", "completion_tokens"), pa.int32()),
    **dict.fromkeys(("user_id", "session_id"), pa.string()),
    "signature": pa.binary(),
}
TAG_COLUMNS = {"project_id": pa.string(), "name": pa.string(), "value": pa.string(), "call": pa.int64()}
SCHEMA = (
    "CREATE TABLE about (name VARCHAR, value VARCHAR)",
    f"CREATE TABLE kind (kind INTEGER, {', '.join(f'{name} VARCHAR' for name in TEXTS)},"
    f" {', '.join(f'has_{name} TINYINT' for name in FLAGS)})",
    "CREATE TABLE call (id BIGINT, kind INTEGER, moment BIGINT, latency_ms DOUBLE, first_token_ms DOUBLE,"
    " cost_usd DOUBLE, prompt_tokens INTEGER, completion_tokens INTEGER, score DOUBLE, user_id VARCHAR,"
    " session_id VARCHAR, high UBIGINT, low UBIGINT)",
    "CREATE TABLE tag (tag INTEGER, project_id VARCHAR, name VARCHAR, value VARCHAR)",
    "CREATE TABLE call_tag (tag INTEGER, call BIGINT)",
)
SAME_KIND = " AND ".join([f"k.{name} = n.{name}" for name in TEXTS] + [f"k.has_{name} = n.{name}" for name in FLAGS])
NEW_KINDS = (
    "INSERT INTO kind SELECT (SELECT coalesce(max(kind), 0) FROM kind) + row_number() OVER (), *"
    f" FROM (SELECT DISTINCT {', '.join(KIND)} FROM fresh AS n"
    f" WHERE NOT EXISTS (SELECT 1 FROM kind AS k WHERE {SAME_KIND}))"
)
HALF = "('0x' || substr(hex(signature), {}, 16))::UBIGINT"
NEW_CALLS = (
    "INSERT INTO call SELECT n.id, k.kind, n.moment, n.latency_ms, n.first_token_ms, n.cost_usd, n.prompt_tokens,"
    f" n.completion_tokens, n.score, n.user_id, n.session_id, {HALF.format(1)}, {HALF.format(17)}"
    f" FROM fresh AS n JOIN kind AS k ON {SAME_KIND} ORDER BY n.id"
)
SAME_TAG = "t.project_id = n.project_id AND t.name = n.name AND t.value = n.value"
NEW_TAGS = (
    "INSERT INTO tag SELECT (SELECT coalesce(max(tag), 0) FROM tag) + row_number() OVER (), *"
    " FROM (SELECT DISTINCT project_id, name, value FROM fresh_tags AS n"
    f" WHERE NOT EXISTS (SELECT 1 FROM tag AS t WHERE {SAME_TAG}))"
)
NEW_MARKS = f"INSERT INTO call_tag SELECT t.tag, n.call FROM fresh_tags AS n JOIN tag AS t ON {SAME_TAG}"


class Columns:
    """One DuckDB database. Questions take a cursor each; writing is left to one thread at a time."""

    def __init__(self, path: Path | None, belongs_to: str) -> None:
        """Open the file (None: in memory) if it is of this version and database, else begin anew."""
        self.path = path
        self.connection = _open(path)
        self.belongs_to = belongs_to
        about = self._known = self._about()
        if (about.get("version"), about.get("belongs_to")) != (VERSION, belongs_to):
            self.clear()

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    def cursor(self) -> Any:
        """A connection of its own for one question."""
        return self.connection.cursor()

    @property
    def position(self) -> tuple[int, int]:
        """Ids of the newest call and of the newest change that are in here."""
        return int(self._known["call"]), int(self._known["change"])

    @property
    def built(self) -> bool:
        """Whether everything was read in once."""
        return self._known["built"] == "yes"

    def finish(self) -> None:
        """Note that everything is in, and write it into the file's own pages if no question is being answered."""
        with self.writing() as writer:
            writer.cursor.execute("UPDATE about SET value = 'yes' WHERE name = 'built'")
        with suppress(duckdb.TransactionException):
            self.cursor().execute("CHECKPOINT")

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """A transaction: rows and positions together or not at all."""
        cursor = self.connection.cursor()
        cursor.execute("BEGIN")
        try:
            yield Writer(cursor)
            cursor.execute("COMMIT")
        except BaseException:
            with suppress(duckdb.TransactionException):  # a conflict has ended it already
                cursor.execute("ROLLBACK")
            raise
        finally:
            self._known = dict(cursor.execute("SELECT name, value FROM about").fetchall())
            cursor.close()

    def count(self) -> int:
        """Calls in here."""
        return int(self.cursor().execute("SELECT count(*) FROM call").fetchone()[0])

    def _about(self) -> dict[str, str]:
        cursor = self.cursor()
        if not cursor.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'about'").fetchone():
            return {}
        return dict(cursor.execute("SELECT name, value FROM about").fetchall())

    def clear(self) -> None:
        """Forget everything."""
        cursor = self.cursor()
        cursor.execute("BEGIN")
        for name, *_ in cursor.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            cursor.execute(f'DROP TABLE "{name}"')
        for statement in SCHEMA:
            cursor.execute(statement)
        about = [("version", VERSION), ("belongs_to", self.belongs_to), ("built", "no"), ("call", "0"), ("change", "0")]
        cursor.executemany("INSERT INTO about VALUES (?, ?)", about)
        cursor.execute("COMMIT")
        self._known = dict(about)


class Writer:
    """What can be done inside one transaction."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor

    @property
    def position(self) -> tuple[int, int]:
        """Where this transaction begins."""
        found = dict(self.cursor.execute("SELECT name, value FROM about").fetchall())
        return int(found["call"]), int(found["change"])

    def take(self, facts: Sequence[Fact], tags: Sequence[Fact]) -> None:
        """Put calls in that are not there."""
        if facts:
            self._insert("fresh", _table(dict(TYPES), FACTS, facts), NEW_KINDS, NEW_CALLS)
        if tags:
            self._insert("fresh_tags", _table(TAG_COLUMNS, tuple(TAG_COLUMNS), tags), NEW_TAGS, NEW_MARKS)

    def drop(self, ids: Sequence[int]) -> None:
        """Take calls out."""
        gone = pa.table({"id": pa.array(ids, pa.int64())})
        mentioned = ("DELETE FROM call WHERE id IN (SELECT id FROM gone)",)
        self._insert("gone", gone, *mentioned, "DELETE FROM call_tag WHERE call IN (SELECT id FROM gone)")

    def move(self, **positions: int) -> None:
        """Note how far the calls or the changes are read."""
        for name, position in positions.items():
            self.cursor.execute("UPDATE about SET value = ? WHERE name = ?", [str(position), name])

    def _insert(self, name: str, table: Any, *statements: str) -> None:
        self.cursor.register(name, table)
        for statement in statements:
            self.cursor.execute(statement)
        self.cursor.unregister(name)


def _open(path: Path | None) -> Any:
    config = {"threads": min(THREADS, os.cpu_count() or 1), "memory_limit": MEMORY}
    if path is None:
        return duckdb.connect(":memory:", config=config)
    path.parent.mkdir(parents=True, exist_ok=True)
    return duckdb.connect(str(path), config=config)


def _table(types: dict[str, Any], names: Sequence[str], rows: Sequence[Fact]) -> Any:
    columns = zip(*rows, strict=True)
    return pa.table({name: pa.array(column, types[name]) for name, column in zip(names, columns, strict=True)})
