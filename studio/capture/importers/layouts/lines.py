"""JSON lines: one object per line, however long the file or a line is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from studio.capture.importers.layouts.port import LONGEST_ROW, START, TOO_LONG, Place, Raw
from studio.capture.text import parse_json

BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A line without its end; `text` is None when it is too long."""

    number: int
    end: int
    text: bytes | None


class JsonLines:
    """Reads line by line; the position is an offset in bytes."""

    name = "JSON lines"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.notes: list[str] = []

    @property
    def columns(self) -> list[str]:
        """Every row has its own."""
        return []

    def rows(self, place: Place = START) -> Iterator[Raw]:
        """The rows behind a place."""
        with self.path.open("rb") as stream:
            stream.seek(place.position)
            for line in lines(stream, place.number):
                yield _raw(line)


def lines(stream: BinaryIO, before: int = 0, longest: int = LONGEST_ROW) -> Iterator[Line]:
    """Lines that are not blank."""
    number, position = before, stream.tell()
    while raw := stream.readline(longest):
        number, position = number + 1, position + len(raw)
        if len(raw) == longest and not raw.endswith(b"\n"):
            position += _skip(stream, longest)
            yield Line(number, position, None)
            continue
        text = (raw.removeprefix(BOM) if number == 1 else raw).strip()
        if text:
            yield Line(number, position, text)


def object_of(text: bytes) -> tuple[dict[str, Any] | None, str]:
    """The object in a JSON text, or what is wrong with it."""
    row = parse_json(text)
    return (row, "") if isinstance(row, dict) else (None, _syntax(text))


def _raw(line: Line) -> Raw:
    if line.text is None:
        return Raw(line.number, line.end, None, error=TOO_LONG)
    row, error = object_of(line.text)
    return Raw(line.number, line.end, row, line.text, error)


def _skip(stream: BinaryIO, at_once: int) -> int:
    skipped = 0
    while rest := stream.readline(at_once):
        skipped += len(rest)
        if rest.endswith(b"\n"):
            break
    return skipped


def _syntax(text: bytes) -> str:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        return f"Not valid JSON at column {error.colno}: {error.msg}."
    except (ValueError, RecursionError):
        return "Not valid JSON: the line is not UTF-8 text, or is nested too deeply."
    return f"A JSON object is expected, not {type(found).__name__}."
