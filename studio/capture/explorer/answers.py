"""What the explorer answers: rows, pages, facets, points of a chart."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from storage.tables import LogEntry
from studio.capture.logs import LogRow

SORTS = (
    "created_at",
    "latency_ms",
    "first_token_ms",
    "cost_usd",
    "prompt_tokens",
    "completion_tokens",
    "score",
)


@dataclass(frozen=True)
class Sort:
    """By which column; ties by arrival. Calls without a value come last."""

    by: str = "created_at"
    descending: bool = True


@dataclass(frozen=True)
class Page:
    """Rows in order, and where the next page begins: hand `next` back as `after`; None at the end."""

    rows: list[LogRow]
    next: str | None = None
    searched_back_to: datetime | None = None
    """Set when the search stopped early; there may be more before this moment."""


@dataclass(frozen=True)
class FacetValue:
    """A value, how people read it, and how many calls have it."""

    value: str
    label: str
    calls: int


@dataclass(frozen=True)
class Point:
    """One step of the charts; percentiles are None where no call was answered."""

    at: datetime
    calls: int
    errors: int
    cost_usd: float
    prompt_tokens: int
    completion_tokens: int
    p50_ms: float | None = None
    p95_ms: float | None = None
    first_token_p50_ms: float | None = None
    statuses: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Similar:
    """A call and how alike its prompt is, 0 to 1."""

    row: LogRow
    similarity: float


@dataclass(frozen=True)
class Readiness:
    """Whether the index can be asked; while it is first built, how many of the calls are in it."""

    ready: bool
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class Related:
    """Calls that belong to a call; the call itself is among those of its trace and session."""

    trace: list[LogRow]
    session: list[LogRow]
    previous: LogEntry | None
    """The turn before in the same conversation."""
