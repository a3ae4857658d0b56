"""Export: the calls of a filter as JSON Lines, CSV or Parquet, written while they are read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson

from storage.database import Database
from storage.repositories.logs import LogEntryRepository
from storage.tables import LogEntry
from studio.capture.filters import LogFilter
from studio.errors import InvalidInput

FORMATS = ("jsonl", "csv", "parquet")
COLUMNS = tuple(name for name in LogEntry.model_fields if name not in ("id", "project_id", "signature"))
"""What is exported when nothing is said."""
NESTED = frozenset({"messages", "tools", "params", "reply", "tags", "choices", "redactions"})
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A cell that begins with one of these is run by spreadsheets; a quote before it makes it text."""
BATCH = 500

Rows = list[dict[str, Any]]
Writer = Callable[[Iterator[Rows], Sequence[str]], Iterator[bytes]]


def export(database: Database, criteria: LogFilter, kind: str, columns: Sequence[str] | None = None) -> Iterator[bytes]:
    """The file, piece by piece, oldest call first. Raises InvalidInput before the first piece."""
    if kind not in WRITERS:
        raise InvalidInput(f"Calls are exported as {', '.join(FORMATS)}. Choose one of them.")
    names = list(columns or COLUMNS)
    if unknown := [name for name in names if name not in COLUMNS]:
        raise InvalidInput(f"Calls have no column {unknown[0]}. Choose among: {', '.join(COLUMNS)}.")
    return WRITERS[kind](_rows(database, criteria, names), names)


def _rows(database: Database, criteria: LogFilter, names: Sequence[str]) -> Iterator[Rows]:
    """Batches in order of arrival; no transaction stays open while somebody downloads slowly."""
    last = 0
    while True:
        with database.read() as session:
            batch = LogEntryRepository(session).batch_after(criteria, last, BATCH)
        if not batch:
            return
        last = batch[-1].id or 0
        yield [{name: getattr(entry, name) for name in names} for entry in batch]


def _jsonl(batches: Iterator[Rows], names: Sequence[str]) -> Iterator[bytes]:
    for rows in batches:
        yield b"".join(_json_line(row) for row in rows)


def _json_line(row: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
    except TypeError:  # numbers beyond 64 bits, which the standard library takes
        return json.dumps(row, default=str).encode() + b"\n"


def _csv(batches: Iterator[Rows], names: Sequence[str]) -> Iterator[bytes]:
    yield _csv_lines([list(names)])
    for rows in batches:
        yield _csv_lines([[_cell(row[name]) for name in names] for row in rows])


def _csv_lines(lines: list[list[Any]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(lines)
    return buffer.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> Any:
    """What a spreadsheet shows; text never runs as a formula."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = _text(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _parquet(batches: Iterator[Rows], names: Sequence[str]) -> Iterator[bytes]:
    """Row groups as they come; nested values as JSON text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, _arrow_type(pa, name)) for name in names])
    pipe = _Pipe()
    with pq.ParquetWriter(pipe, schema, compression="zstd") as writer:
        for rows in batches:
            plain = [{name: _text(row[name]) if name in NESTED else row[name] for name in names} for row in rows]
            writer.write_table(pa.Table.from_pylist(plain, schema=schema))
            yield pipe.take()
    yield pipe.take()


def _arrow_type(pa: Any, name: str) -> Any:
    if name == "created_at":
        return pa.timestamp("us", tz="UTC")
    kinds = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}
    annotation = str(LogEntry.model_fields[name].annotation).replace("<class '", "").split("'")[0].split(" |")[0]
    return pa.string() if name in NESTED else kinds.get(annotation, pa.string())


class _Pipe(io.RawIOBase):
    """Keeps what was written until it is taken."""

    def __init__(self) -> None:
        self.buffer, self.position = bytearray(), 0

    def writable(self) -> bool:
        """Parquet asks."""
        return True

    def write(self, data: Any) -> int:
        """Take what the writer gives."""
        size = memoryview(data).nbytes
        self.buffer += bytes(data)
        self.position += size
        return size

    def tell(self) -> int:
        """How much was written in all."""
        return self.position

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = bytes(self.buffer)
        self.buffer.clear()
        return taken


WRITERS: dict[str, Writer] = {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet}
