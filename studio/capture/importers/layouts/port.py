"""A row as a file has it, and how to go on behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

LONGEST_ROW = 32 << 20
TOO_LONG = "The row is longer than 32 MB. Split it, or leave it out."


class Place(NamedTuple):
    """Where to read on: a position as the layout counts it (bytes or rows), and the number of the last row."""

    position: int = 0
    number: int = 0


START = Place()


@dataclass(frozen=True, slots=True)
class Raw:
    """A row, or why there is none: `error` (and the field it is about)."""

    number: int
    end: int
    data: dict[str, Any] | None
    source: bytes = b""
    """The row as it stands in the file: what its digest is made of."""
    error: str = ""


class Layout(Protocol):
    """One way in which rows lie in a file."""

    name: str
    """Its name for people: JSON lines, CSV, ..."""
    size: int
    """What `end` of the last row comes to, for progress."""
    notes: list[str]
    """What people should know: the sheet that is read, the encoding."""

    @property
    def columns(self) -> list[str]:
        """The columns of a table; empty where every row has its own fields."""
        ...

    def rows(self, place: Place = START) -> Iterator[Raw]:
        """The rows behind a place, one in memory at a time."""
        ...
