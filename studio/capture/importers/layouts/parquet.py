"""Parquet: rows in batches; the position is a row number, and row groups that were read are not read again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
from pyarrow import ArrowException

from studio.capture.importers.layouts.port import LONGEST_ROW, START, TOO_LONG, Place, Raw
from studio.capture.text import storable
from studio.errors import InvalidInput

BATCH = 500


class ParquetTable:
    """Reads rows as dicts of their columns."""

    name = "Parquet"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        try:
            with pq.ParquetFile(path) as file:
                self.size = file.metadata.num_rows
                self._columns = list(file.schema_arrow.names)
                self._groups = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
        except (ArrowException, OSError, ValueError) as error:
            raise InvalidInput(f"The Parquet file cannot be read: {error}. Write it again.") from error

    @property
    def columns(self) -> list[str]:
        """As the schema has them."""
        return self._columns

    def rows(self, place: Place = START) -> Iterator[Raw]:
        """The rows behind a place."""
        number, skip, groups = place.number, place.position, list(range(len(self._groups)))
        while groups and skip >= self._groups[groups[0]]:
            skip -= self._groups[groups.pop(0)]
        number -= skip
        if not groups:
            return
        with pq.ParquetFile(self.path, pre_buffer=False, buffer_size=1 << 20) as file:
            for batch in _batches(file, groups):
                if skip >= batch.num_rows:
                    skip, number = skip - batch.num_rows, number + batch.num_rows
                    continue
                number += skip
                for row in batch.slice(skip).to_pylist():
                    number += 1
                    yield _raw(number, row)
                skip = 0


def _batches(file: Any, groups: list[int]) -> Iterator[Any]:
    try:
        yield from file.iter_batches(batch_size=BATCH, row_groups=groups, use_threads=False)
    except (ArrowException, OSError) as error:
        raise InvalidInput(f"The Parquet file is damaged: {error}. Write it again; what was read is kept.") from error


def _raw(number: int, row: dict[str, Any]) -> Raw:
    data = storable({name: plain(value) for name, value in row.items()})
    source = orjson.dumps(data, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)
    if len(source) > LONGEST_ROW:
        return Raw(number, number, None, error=TOO_LONG)
    return Raw(number, number, data, source)


def plain(value: Any) -> Any:
    """A value as JSON has it, times aside."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items() if item is not None}
    return value
