"""Logs: the explorer's questions about captured calls, each answered from an index or the hourly roll-up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlmodel import Session

from storage.database import Database
from storage.repositories.feedback import FeedbackRepository
from storage.repositories.log_hours import LogHourRepository
from storage.repositories.logs import LogEntryRepository
from storage.tables import Feedback, LogEntry
from storage.types import now
from studio.capture.filters import LogFilter
from studio.errors import NotFound

COUNTED = 10_000
HOUR_S, DAY_S = 3600, 86_400
HOURLY_SPAN = timedelta(days=4)
TAGS_READ = 1_000


@dataclass(frozen=True)
class LogRow:
    """A call as a list shows it; `prompt` and `reply` are cut to 180 characters."""

    id: int
    uid: str
    created_at: datetime
    source: str
    model: str
    served_model: str
    status: str
    http_status: int
    stream: bool
    latency_ms: float
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    rating: str | None
    prompt: str
    reply: str
    endpoint: str = "chat"
    first_token_ms: float | None = None
    score: float | None = None
    language: str = ""
    template_id: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None

    @property
    def tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True)
class Count:
    """How many; not exact means at least so many."""

    n: int
    exact: bool

    def __str__(self) -> str:
        return f"{self.n:,}" if self.exact else f"{self.n:,}+"


@dataclass(frozen=True)
class VolumePoint:
    """Calls of one status in one hour or day."""

    at: datetime
    status: str
    calls: int
    cost_usd: float


@dataclass(frozen=True)
class Facets:
    """Values that occur, most frequent first; tags are those of the newest thousand calls."""

    models: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    tags: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Totals:
    """Sums over all calls since a moment (to the hour)."""

    calls: int = 0
    errors: int = 0
    cost_usd: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    mean_latency_ms: float = 0.0


class Logs:
    """Reads captured calls."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def page(
        self, criteria: LogFilter, before: int | None = None, after: int | None = None, limit: int = 50
    ) -> list[LogRow]:
        """One page, newest first: older than the id `before`, or newer than the id `after`."""
        with self.database.read() as session:
            rows = LogEntryRepository(session).page(criteria, before, after, limit)
        return [LogRow(**row) for row in rows]

    def count(self, criteria: LogFilter) -> Count:
        """Exact where the roll-up knows the answer, else counted up to ten thousand."""
        with self.database.read() as session:
            if criteria.only_rolled_up:
                return Count(LogHourRepository(session).count_calls(criteria), True)
            found = LogEntryRepository(session).count_to(criteria, COUNTED + 1)
        return Count(min(found, COUNTED), found <= COUNTED)

    def volume(self, criteria: LogFilter) -> list[VolumePoint]:
        """Calls over time by status: hours for up to four days, else days. Search, rating and tags do not narrow it."""
        until = criteria.until or now()
        hourly = criteria.since is not None and until - criteria.since <= HOURLY_SPAN
        with self.database.read() as session:
            found = LogHourRepository(session).volume(criteria, HOUR_S if hourly else DAY_S)
        return [VolumePoint(datetime.fromtimestamp(at, UTC), status, n, cost) for at, status, n, cost in found]

    def facets(self, project_id: str) -> Facets:
        """The values to filter by."""
        with self.database.read() as session:
            hours = LogHourRepository(session)
            tags = LogEntryRepository(session).recent_tags(project_id, TAGS_READ)
            return Facets(hours.by("model", project_id), hours.by("status", project_id), _tag_counts(tags))

    def totals(self, project_id: str, since: datetime | None = None) -> Totals:
        """Sums since the start of an hour, or over everything."""
        with self.database.read() as session:
            calls, errors, prompt, completion, cost, latency = LogHourRepository(session).totals(project_id, since)
        if not calls:
            return Totals()
        return Totals(calls, errors or 0, cost, prompt, completion, latency / calls)

    def entry(self, project_id: str, uid: str) -> LogEntry:
        """One call. Raises NotFound."""
        with self.database.read() as session:
            found = LogEntryRepository(session).by_uid(project_id, uid)
        if found is None:
            raise NotFound("This call is not in the project's log. It may have been deleted, or the link is wrong.")
        return found

    def feedback_of(self, entry: LogEntry) -> list[Feedback]:
        """What was said about the call, oldest first."""
        with self.database.read() as session:
            return FeedbackRepository(session).of_entry(entry.id or 0)

    def newest_id(self, project_id: str) -> int:
        """Id of the newest call; it grows with every call that arrives."""
        with self.database.read() as session:
            return LogEntryRepository(session).newest_id(project_id)

    def iterate(self, session: Session, criteria: LogFilter) -> Iterator[LogEntry]:
        """Every matching call in order of arrival, read in batches inside the caller's session."""
        for batch in LogEntryRepository(session).batches(criteria):
            yield from batch


def _tag_counts(found: list[dict[str, str]]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {}
    for tags in found:
        for name, value in tags.items():
            counts.setdefault(name, Counter())[str(value)] += 1
    return {name: dict(values.most_common(50)) for name, values in sorted(counts.items())}
