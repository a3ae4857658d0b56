"""One big JSON array (or objects one after another, or a list inside of one object), read element by element.

Elements are found by their brackets alone and parsed one at a time, so that a file of any size needs no more memory
than its longest element, and a broken element does not take its neighbours with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from studio.capture.importers.layouts.lines import BOM, object_of
from studio.capture.importers.layouts.port import LONGEST_ROW, START, TOO_LONG, Place, Raw

READ = 1 << 20
MARK = re.compile(rb'["\[\]{}]')
REST_OF_STRING = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
KEY = re.compile(rb'"([A-Za-z_]{1,40})"\s*:\s*$')
LISTS = frozenset(
    {b"data", b"rows", b"records", b"items", b"results", b"traces", b"logs", b"calls", b"examples", b"entries"}
)
"""Names under which an answer of an API or an export keeps its rows."""
UNFINISHED = "The JSON is not finished: a bracket or a quotation mark is never closed. Export the file again."


class JsonArray:
    """Reads elements of the array that begins at `start`; the position is an offset in bytes."""

    name = "JSON array"

    def __init__(self, path: Path, start: int = 0) -> None:
        self.path = path
        self.start = start
        self.size = path.stat().st_size
        self.notes: list[str] = []

    @property
    def columns(self) -> list[str]:
        """Every element has its own fields."""
        return []

    def rows(self, place: Place = START) -> Iterator[Raw]:
        """The elements behind a place."""
        with self.path.open("rb") as stream:
            position = max(place.position, self.start)
            stream.seek(position)
            number = place.number
            for text, end in elements(stream, position):
                number += 1
                yield _raw(number, end, text)


def elements(stream: BinaryIO, position: int, longest: int = LONGEST_ROW) -> Iterator[tuple[bytes | None, int]]:
    """Each object with the offset behind it: None instead of one that is too long, b"" for one never closed.

    An array that ends within ends the reading; what lies around elements is passed over.
    """
    scan = _Scan(stream, position, longest)
    while scan.find_object():
        yield scan.element()


def start_of_list(path: Path, within: int = READ) -> int | None:
    """Where the list begins that an object keeps its rows in; None where it has none."""
    with path.open("rb") as stream:
        head = stream.read(within)
    depth, at = 0, 0
    while found := MARK.search(head, at):
        mark, at = found[0], found.end()
        if mark == b'"':
            rest = REST_OF_STRING.match(head, at)
            if rest is None:
                return None
            at = rest.end()
            continue
        if mark == b"[" and depth == 1 and _is_list_of_rows(head, found.start()):
            return at
        depth += 1 if mark in b"[{" else -1
    return None


def _is_list_of_rows(head: bytes, at: int) -> bool:
    key = KEY.search(head[max(at - 60, 0) : at])
    return bool(key and key[1] in LISTS and head[at + 1 : at + 200].lstrip()[:1] == b"{")


class _Scan:
    """Walks a stream from bracket to bracket; what lies before the present element is let go."""

    def __init__(self, stream: BinaryIO, position: int, longest: int) -> None:
        self.stream = stream
        self.longest = longest
        self.base = position
        """Offset of the buffer's first byte."""
        self.buffer = b""
        self.at = 0
        self.begin: int | None = None
        """Where the element begins in the buffer; None between elements, and in one that is too long."""

    def find_object(self) -> bool:
        """Move behind the next `{`; False at the array's end and the file's."""
        depth, self.begin = 0, None
        while (mark := self._next()) is not None and mark != b"{":
            depth += _deeper(mark)
            if depth < 0:
                return False
            if mark == b'"':
                self._pass_string()
        return mark is not None

    def element(self) -> tuple[bytes | None, int]:
        """The object whose bracket was just passed."""
        self.begin, depth = self.at - 1, 1
        while depth:
            mark = self._next()
            if mark is None or (mark == b'"' and not self._pass_string()):
                return b"", self.base + len(self.buffer)
            depth += _deeper(mark)
        text = None if self.begin is None else self.buffer[self.begin : self.at]
        return text, self.base + self.at

    def _next(self) -> bytes | None:
        while (found := MARK.search(self.buffer, self.at)) is None:
            self.at = len(self.buffer)
            if not self._more():
                return None
        self.at = found.end()
        return found[0]

    def _pass_string(self) -> bool:
        while (rest := REST_OF_STRING.match(self.buffer, self.at)) is None:
            if not self._more():
                self.at = len(self.buffer)
                return False
        self.at = rest.end()
        return True

    def _more(self) -> bool:
        """Read on, and let go of what is behind; a string is kept from its beginning, an element while it may be."""
        if self.begin is not None and len(self.buffer) - self.begin > self.longest:
            self.begin = None
        kept = self.at if self.begin is None else self.begin
        chunk = self.stream.read(READ) if len(self.buffer) - kept <= 2 * self.longest else b""
        self.base, self.at, self.buffer = self.base + kept, self.at - kept, self.buffer[kept:] + chunk
        self.begin = None if self.begin is None else 0
        return bool(chunk)


def _deeper(mark: bytes) -> int:
    return 1 if mark in b"{[" else -1 if mark in b"}]" else 0


def _raw(number: int, end: int, text: bytes | None) -> Raw:
    if not text:
        return Raw(number, end, None, error=TOO_LONG if text is None else UNFINISHED)
    row, error = object_of(text.removeprefix(BOM))
    return Raw(number, end, row, text, error)
