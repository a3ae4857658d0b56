"""What importers give: calls, feedback on calls, and the rows that could not be taken, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from studio.capture.record import Record


@dataclass(frozen=True, slots=True)
class ImportedCall:
    """One call of the file. `record.meta` lacks uid and project, which the import adds."""

    line: int
    end: int
    """Position behind the row: where to go on."""
    digest: str
    """SHA-256 of the row: the same row is never imported twice."""
    record: Record


@dataclass(frozen=True, slots=True)
class ImportedFeedback:
    """Feedback of the file on a call of this file, or on one that is in the log."""

    line: int
    end: int
    external_id: str
    """Its own id: the same feedback is never taken twice."""
    target: dict[str, str]
    """Which call is meant: one of external_id, trace_id or span_id."""
    said: dict[str, Any]
    """kind, name, value, text, given_by."""
    at: float | None = None


@dataclass(frozen=True, slots=True)
class RowError:
    """A row that cannot be taken: which field, why, and what to do."""

    line: int
    end: int
    reason: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that is in order and no call: a span, an event, a draft."""

    line: int
    end: int
    reason: str


Imported = ImportedCall | ImportedFeedback | RowError | Skipped


class Refused(Exception):
    """Why a row cannot be taken, in which field, and what to do."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field


class NoCall(Exception):
    """The row is in order, but nothing that could be imported."""


@dataclass(slots=True)
class Said:
    """Feedback in a row; without a target it is about the row's own call."""

    kind: str
    value: float | None = None
    text: str | None = None
    name: str = ""
    given_by: str = ""
    at: float | None = None
    id: str = ""
    target: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Call:
    """A call in a row: the wire bodies of its endpoint, and facts that go into `Record.meta`."""

    request: dict[str, Any]
    response: dict[str, Any]
    meta: dict[str, Any] = field(default_factory=dict)
    feedback: list[Said] = field(default_factory=list)


class Importer(Protocol):
    """Knows what the rows of one system mean. Rows are dicts, whatever file they lie in."""

    label: str
    """Its name for people."""
    example: str
    """A row, shortened, for people to recognise."""

    def matches(self, row: dict[str, Any]) -> bool:
        """Whether a row is of this kind; asked of the first rows of a file."""
        ...

    def read(self, row: dict[str, Any]) -> Iterable[Call | Said]:
        """What the row holds. Raises Refused, or NoCall for a row that is in order and no call."""
        ...
