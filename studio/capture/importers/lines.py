"""Lines of a file one at a time, however long the file or a line is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

LONGEST_LINE = 32 << 20
BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A line without its end; `text` is None when it is longer than 32 MB."""

    number: int
    end: int
    text: bytes | None


def lines(stream: BinaryIO, before: int = 0, longest: int = LONGEST_LINE) -> Iterator[Line]:
    """Lines that are not blank."""
    number = before
    while raw := stream.readline(longest):
        number += 1
        if len(raw) == longest and not raw.endswith(b"\n"):
            _skip(stream, longest)
            yield Line(number, stream.tell(), None)
            continue
        text = (raw.removeprefix(BOM) if number == 1 else raw).strip()
        if text:
            yield Line(number, stream.tell(), text)


def _skip(stream: BinaryIO, at_once: int) -> None:
    while (rest := stream.readline(at_once)) and not rest.endswith(b"\n"):
        continue
