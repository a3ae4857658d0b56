"""What an importer gives: calls as journal records, and the rows it could not take, each with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from studio.capture.record import Record


@dataclass(frozen=True, slots=True)
class ImportedCall:
    """One call of the file. `record.meta` lacks uid and project, which the import adds."""

    line: int
    end: int
    """Offset behind the row: where to go on."""
    digest: str
    """SHA-256 of the row: the same row is never imported twice."""
    record: Record


@dataclass(frozen=True, slots=True)
class RowError:
    """A row that cannot be taken, and why."""

    line: int
    end: int
    reason: str


class Importer(Protocol):
    """Reads one file format."""

    def read(self, stream: BinaryIO, line: int = 0) -> Iterator[ImportedCall | RowError]:
        """The rows from the stream's position on; `line` rows came before. One row in memory at a time."""
        ...
