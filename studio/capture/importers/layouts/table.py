"""CSV, TSV and their like: the separator is found out, a row may span lines, and the position is an offset in bytes.

The files are UTF-8 here; others were made UTF-8 before.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from studio.capture.importers.layouts.lines import BOM
from studio.capture.importers.layouts.port import LONGEST_ROW, START, TOO_LONG, Place, Raw

SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
SNIFFED = 1 << 18
MOST_COLUMNS = 2000
LINES_AT_ONCE = 50_000
"""A row of more lines has a quotation mark that is never closed."""
UNCLOSED = 'A quotation mark (") is never closed. Write " inside of a text twice (""), and close the text.'
NOT_UTF8 = "The row holds bytes that are not UTF-8 text. Save the file as UTF-8, then import it again."


class DelimitedTable:
    """Reads rows as dicts of their columns."""

    def __init__(self, path: Path, separator: str) -> None:
        csv.field_size_limit(LONGEST_ROW)
        self.path = path
        self.separator = separator
        self.size = path.stat().st_size
        self.name = "TSV" if separator == "\t" else "CSV"
        self.notes = [] if separator in ",\t" else [f"Cells are separated by {SEPARATORS[separator]}."]
        with path.open("rb") as stream:
            found = next(_records(stream, separator, 0, 0), None)
            self._first, self._lines = (found[1], found[2]) if found else (0, 0)
            self._columns = named(found[0]) if found else []

    @property
    def columns(self) -> list[str]:
        """As the first row has them."""
        return self._columns

    def rows(self, place: Place = START) -> Iterator[Raw]:
        """The rows behind a place; a row's number is its line in the file."""
        start, line = (place.position, place.number) if place.position else (self._first, self._lines)
        with self.path.open("rb") as stream:
            while start < self.size:
                for cells, end, last, source in _records(stream, self.separator, start, line):
                    if _swallowed(cells, source, len(self._columns), self.separator):
                        first = source.index(b"\n") + 1
                        start, line = end - len(source) + first, line + 1
                        yield Raw(line, start, None, source[:first], UNCLOSED)
                        break
                    start, line = end, last
                    yield self._row(cells, end, last, source)
                else:
                    return

    def _row(self, cells: list[str], end: int, line: int, source: bytes) -> Raw:
        many, columns = len(cells), self._columns
        if len(source) > LONGEST_ROW:
            return Raw(line, end, None, error=TOO_LONG)
        if many > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
            fix = "A separator inside of a text needs quotation marks around the text."
            return Raw(line, end, None, source, f"The row has {many} cells, the first row {len(columns)}. {fix}")
        data = dict(zip(columns, cells, strict=False))
        if any("\udc80" <= char <= "\udcff" for cell in cells for char in cell if char > "\ud7ff"):
            return Raw(line, end, None, source, NOT_UTF8)
        return Raw(line, end, {name: cell.replace("\x00", "") for name, cell in data.items()}, source)


def separator_of(head: bytes) -> str | None:
    """The separator with which the first rows have equally many cells, more than one; None where none does."""
    text = head.removeprefix(BOM).decode("utf-8", "surrogateescape")
    lines = text.splitlines(keepends=True)
    lines = lines[:-1] if len(lines) > 1 and len(head) >= SNIFFED else lines
    best, most = None, (0.0, 0)
    for separator in SEPARATORS:
        rows = [len(row) for row in _parsed(lines[:500], separator) if row]
        if not rows:
            continue
        cells, hits = Counter(rows[:100]).most_common(1)[0]
        if cells > 1 and (hits / min(len(rows), 100), cells) > most:
            best, most = separator, (hits / min(len(rows), 100), cells)
    return best


def named(cells: list[str]) -> list[str]:
    """Column names that are all there and all different."""
    seen: Counter[str] = Counter()
    names = []
    for number, cell in enumerate(cells[:MOST_COLUMNS], 1):
        name = cell.strip().removeprefix("\ufeff") or f"column {number}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def _parsed(lines: list[str], separator: str) -> list[list[str]]:
    csv.field_size_limit(LONGEST_ROW)
    try:
        return list(csv.reader(lines, delimiter=separator))
    except csv.Error:
        return []


def _records(stream: BinaryIO, separator: str, position: int, line: int) -> Iterator[tuple[list[str], int, int, bytes]]:
    """Cells, the offset behind the row, its last line and its bytes."""
    stream.seek(position)
    source = _Lines(stream, position)
    reader = csv.reader(source, delimiter=separator)
    while True:
        source.held.clear()
        try:
            cells = next(reader, None)
        except csv.Error:
            cells = [""]
        if cells is None:
            return
        line += len(source.held)
        if cells:
            yield cells, source.position, line, b"".join(source.held)


class _Lines:
    """Gives a CSV reader its lines, and remembers what it took for a row."""

    def __init__(self, stream: BinaryIO, position: int) -> None:
        self.stream = stream
        self.position = position
        self.held: list[bytes] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self.held) >= LINES_AT_ONCE:
            raise csv.Error("a row of so many lines")
        raw = self.stream.readline(LONGEST_ROW + 1)
        if not raw:
            raise StopIteration
        text = raw.removeprefix(BOM) if self.position == 0 else raw
        self.held.append(raw)
        self.position += len(raw)
        return text.decode("utf-8", "surrogateescape")


def _swallowed(cells: list[str], source: bytes, columns: int, separator: str) -> bool:
    """Whether a quotation mark that is never closed has taken further rows into this one."""
    if source.count(b"\n") + (not source.endswith(b"\n")) < 2:
        return False
    if len(cells) != columns or source.count(b'"') % 2 == 1:
        return True
    try:
        text = source.decode("utf-8", "surrogateescape").splitlines(keepends=True)
        return len(list(csv.reader(text, delimiter=separator, strict=True))) != 1
    except csv.Error:
        return True
