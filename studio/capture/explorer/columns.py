"""The columns: narrow facts of all calls in a DuckDB file, a cache that is never the truth.

Everything about a call that has few values (model, status, language, ...) is one number, the call's `kind`: a filter
picks kinds, and one pass over one column counts every facet at once. The first tags of a project have columns of their
own; further ones share a table.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from typing import Any

import duckdb
import pyarrow as pa

from storage.repositories.log_criteria import FLAGS
from storage.repositories.log_index import NUMBERS, TEXTS, Fact
from studio.capture.explorer.kinds import Kinds

VERSION = "6"
MEMORY = "512MB"
THREADS = 4
TAG_COLUMNS = tuple(f"tag_{number}" for number in range(1, 17))
"""As many tags of each project are found without a join."""
KIND = (*TEXTS, *FLAGS)
STATUS_AT = TEXTS.index("status")
KIND_AT, NUMBERS_AT = 2, 2 + len(KIND)
SCHEMA = (
    "CREATE TABLE about (name VARCHAR, value VARCHAR)",
    f"CREATE TABLE kind (kind INTEGER, digest BIGINT, {', '.join(f'{name} VARCHAR' for name in TEXTS)},"
    f" {', '.join(f'has_{name} TINYINT' for name in FLAGS)})",
    "CREATE TABLE project (project INTEGER, project_id VARCHAR)",
    "CREATE TABLE status (status INTEGER, value VARCHAR)",
    "CREATE TABLE call (id BIGINT, project INTEGER, kind INTEGER, status INTEGER, moment BIGINT, latency_ms DOUBLE,"
    " first_token_ms DOUBLE, cost_usd DOUBLE, prompt_tokens BIGINT, completion_tokens BIGINT, score DOUBLE,"
    " user_id VARCHAR, session_id VARCHAR, high UBIGINT, low UBIGINT,"
    f" {', '.join(f'{name} VARCHAR' for name in TAG_COLUMNS)})",
    "CREATE TABLE tag_name (name INTEGER, project_id VARCHAR, tag VARCHAR, calls BIGINT, place VARCHAR)",
    "CREATE TABLE call_tag (name INTEGER, value VARCHAR, call BIGINT)",
)
KIND_TYPES = {
    "kind": pa.int32(),
    "digest": pa.int64(),
    **dict.fromkeys(TEXTS, pa.string()),
    **dict.fromkeys(FLAGS, pa.int8()),
}
CALL_TYPES = {
    "id": pa.int64(),
    "project": pa.int32(),
    "kind": pa.int32(),
    "status": pa.int32(),
    "moment": pa.int64(),
    **dict.fromkeys(NUMBERS, pa.float64()),
    **dict.fromkeys(("prompt_tokens", "completion_tokens"), pa.int64()),
    **dict.fromkeys(("user_id", "session_id"), pa.string()),
    **dict.fromkeys(("high", "low"), pa.uint64()),
    **dict.fromkeys(TAG_COLUMNS, pa.string()),
}
PLACES = {name: at for at, name in enumerate(TAG_COLUMNS)}
NO_TAGS = (None,) * len(TAG_COLUMNS)
Named = tuple[int, str | None]
"""Number of a tag's name, and its column where it has one."""
TAG_TYPES = {"name": pa.int32(), "value": pa.string(), "call": pa.int64()}
COUNT_TAGS = (
    "UPDATE tag_name SET calls = counted.calls"
    " FROM (SELECT name, count(*) AS calls FROM call_tag GROUP BY name) AS counted WHERE counted.name = tag_name.name"
)
COUNT_TAG_COLUMNS = (
    "UPDATE tag_name SET calls = counted.calls FROM (UNPIVOT (SELECT project_id,"
    f" {', '.join(f'count({name}) AS {name}' for name in TAG_COLUMNS)} FROM call JOIN project USING (project)"
    f" GROUP BY project_id) ON {', '.join(TAG_COLUMNS)} INTO NAME place VALUE calls) AS counted"
    " WHERE (counted.project_id, counted.place) = (tag_name.project_id, tag_name.place)"
)


class Columns:
    """One DuckDB database. Questions take a cursor each; writing is left to one thread at a time."""

    def __init__(self, path: Path | None, belongs_to: str) -> None:
        """Open the file (None: in memory) if it is of this version and database, else begin anew."""
        self.path = path
        self.connection = _open(path)
        self.belongs_to = belongs_to
        self.facts_of_kinds = Kinds()
        about = self._known = self._about()
        if (about.get("version"), about.get("belongs_to")) != (VERSION, belongs_to):
            self.clear()
        self._load()

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
        with suppress(duckdb.TransactionException), self.writing() as writer:  # another explorer does the same
            for statement in (COUNT_TAGS, COUNT_TAG_COLUMNS):
                writer.cursor.execute(statement)
            writer.cursor.execute("UPDATE about SET value = 'yes' WHERE name = 'built'")
        with suppress(duckdb.TransactionException):
            self.cursor().execute("CHECKPOINT")

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """A transaction: rows and positions together or not at all."""
        cursor = self.connection.cursor()
        cursor.execute("BEGIN")
        try:
            writer = Writer(cursor, self)
            if writer.position != self.position:  # another explorer of this process was here
                self._load()
                writer = Writer(cursor, self)
            yield writer
            cursor.execute("COMMIT")
        except BaseException:
            with suppress(duckdb.TransactionException):  # a conflict has ended it already
                cursor.execute("ROLLBACK")
            self._load()
            raise
        finally:
            self._known = dict(cursor.execute("SELECT name, value FROM about").fetchall())
            cursor.close()

    def count(self) -> int:
        """Calls in here."""
        return int(self.cursor().execute("SELECT count(*) FROM call").fetchone()[0])

    def _load(self) -> None:
        """Numbers of kinds by their digests, of projects and statuses, and of tags by project and name."""
        cursor = self.cursor()
        self.kinds: dict[int, int] = dict(cursor.execute("SELECT digest, kind FROM kind").fetchall())
        self.projects: dict[str, int] = dict(cursor.execute("SELECT project_id, project FROM project").fetchall())
        self.statuses: dict[str, int] = dict(cursor.execute("SELECT value, status FROM status").fetchall())
        named = cursor.execute("SELECT project_id, tag, name, place FROM tag_name").fetchall()
        self.names: dict[tuple[str, str], Named] = {
            (project, tag): (name, place) for project, tag, name, place in named
        }
        self.tagged = Counter(project for project, _ in self.names)

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
        about = [("version", VERSION), ("belongs_to", self.belongs_to), ("made", token_hex(8)), ("built", "no")]
        about += [("call", "0"), ("change", "0")]
        cursor.executemany("INSERT INTO about VALUES (?, ?)", about)
        cursor.execute("COMMIT")
        self._known = dict(about)
        self._load()


class Writer:
    """What can be done inside one transaction."""

    def __init__(self, cursor: Any, columns: Columns) -> None:
        self.cursor = cursor
        self.kinds, self.names, self.tagged = columns.kinds, columns.names, columns.tagged
        self.projects, self.statuses = columns.projects, columns.statuses

    @property
    def position(self) -> tuple[int, int]:
        """Where this transaction begins."""
        found = dict(self.cursor.execute("SELECT name, value FROM about").fetchall())
        return int(found["call"]), int(found["change"])

    def take(self, facts: Sequence[Fact], tags: Sequence[Fact]) -> None:
        """Put calls in that are not there."""
        fresh: list[Fact] = []
        marks, of_calls = self._marks(tags)
        calls = [self._call(fact, fresh, of_calls.get(fact[0], NO_TAGS)) for fact in facts]
        self._append("kind", KIND_TYPES, fresh)
        self._append("call", CALL_TYPES, calls)
        self._append("call_tag", TAG_TYPES, marks)

    def drop(self, ids: Sequence[int]) -> None:
        """Take calls out."""
        self.cursor.register("gone", pa.table({"id": pa.array(ids, pa.int64())}))
        for table, number in (("call", "id"), ("call_tag", "call")):
            near = f"{number} BETWEEN {min(ids)} AND {max(ids)}"
            self.cursor.execute(f"DELETE FROM {table} WHERE {near} AND {number} IN (SELECT id FROM gone)")
        self.cursor.unregister("gone")

    def move(self, **positions: int) -> None:
        """Note how far the calls or the changes are read."""
        for name, position in positions.items():
            self.cursor.execute("UPDATE about SET value = ? WHERE name = ?", [str(position), name])

    def _marks(self, tags: Sequence[Fact]) -> tuple[list[Fact], dict[int, list[str | None]]]:
        """Rows of `call_tag`, and the tags with columns of their own by call."""
        marks: list[Fact] = []
        of_calls: dict[int, list[str | None]] = {}
        for project, tag, value, call in tags:
            name, place = self._name(project, tag)
            if place:
                of_calls.setdefault(call, [None] * len(TAG_COLUMNS))[PLACES[place]] = value
            else:
                marks.append((name, value, call))
        return marks, of_calls

    def _call(self, fact: Fact, fresh: list[Fact], tags: Sequence[str | None]) -> Fact:
        kind = fact[KIND_AT:NUMBERS_AT]
        *others, signature = fact[NUMBERS_AT:]
        halves = (None, None) if signature is None else (int.from_bytes(signature[:8]), int.from_bytes(signature[8:16]))
        numbers = self._project(kind[0]), self._kind(kind, fresh), self._status(kind[STATUS_AT])
        return (fact[0], *numbers, fact[1], *others, *halves, *tags)

    def _kind(self, facts: Fact, fresh: list[Fact]) -> int:
        said = "\x1f".join(map(str, facts)).encode("utf-8", "replace")
        digest = int.from_bytes(blake2b(said, digest_size=8).digest(), signed=True)
        known = self.kinds.get(digest)
        if known is None:
            known = self.kinds[digest] = len(self.kinds) + 1
            fresh.append((known, digest, *facts))
        return known

    def _project(self, project_id: str) -> int:
        return self._numbered("project", self.projects, project_id)

    def _status(self, status: str) -> int:
        return self._numbered("status", self.statuses, status)

    def _numbered(self, table: str, numbers: dict[str, int], value: str) -> int:
        known = numbers.get(value)
        if known is None:
            known = numbers[value] = len(numbers) + 1
            self.cursor.execute(f"INSERT INTO {table} VALUES (?, ?)", [known, value])
        return known

    def _name(self, project: str, tag: str) -> Named:
        known = self.names.get((project, tag))
        if known is None:
            place = TAG_COLUMNS[self.tagged[project]] if self.tagged[project] < len(TAG_COLUMNS) else None
            self.tagged[project] += 1
            known = self.names[project, tag] = (len(self.names) + 1, place)
            self.cursor.execute("INSERT INTO tag_name VALUES (?, ?, ?, 0, ?)", [known[0], project, tag, place])
        return known

    def _append(self, table: str, types: dict[str, Any], rows: Sequence[Fact]) -> None:
        if not rows:
            return
        columns = zip(types.items(), zip(*rows, strict=True), strict=True)
        self.cursor.register("fresh", pa.table({name: pa.array(values, kind) for (name, kind), values in columns}))
        self.cursor.execute(f"INSERT INTO {table} SELECT * FROM fresh")
        self.cursor.unregister("fresh")


def _open(path: Path | None) -> Any:
    config = {"threads": min(THREADS, os.cpu_count() or 1), "memory_limit": MEMORY}
    if path is None:
        return duckdb.connect(":memory:", config=config)
    path.parent.mkdir(parents=True, exist_ok=True)
    return duckdb.connect(str(path), config=config)
