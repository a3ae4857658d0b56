"""Traffic: how many calls each route of an alias was given, how many it failed, and how long it took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from storage.database import Database
from storage.repositories.traffic import ShadowPairRepository, TrafficRepository
from storage.tables import TrafficMinute
from storage.types import now
from studio.deploy.counting import Counter
from studio.deploy.histogram import BUCKETS_MS, added, empty, percentile

__all__ = ["BUCKETS_MS", "KEPT", "Counter", "Point", "RouteStats", "Traffic", "clean_traffic"]

MINUTE_S = 60
KEPT = timedelta(days=30)


@dataclass(frozen=True)
class RouteStats:
    """What one route did in a span of time. Latencies are of whole answers; None when there was none.

    An attempt counts for the route that was tried, also when another one answered the caller in the end.
    """

    calls: int = 0
    errors: int = 0
    """The server's fault: no answer, a timeout, 401, 403, 404, 424, 429 or 5xx; a caller's own mistake is none."""
    p50_ms: float | None = None
    p95_ms: float | None = None
    first_token_p50_ms: float | None = None
    """Of streams only, as the next one."""
    first_token_p95_ms: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    histogram: list[int] = field(default_factory=empty)
    """Answers per bucket of `BUCKETS_MS`."""

    @property
    def error_rate(self) -> float:
        """Share of the calls that failed; 0 without calls."""
        return self.errors / self.calls if self.calls else 0.0


@dataclass(frozen=True)
class Point:
    """One route in one minute."""

    minute: int
    """Unix seconds of its start."""
    route: str
    calls: int
    errors: int
    p50_ms: float | None
    p95_ms: float | None

    @property
    def at(self) -> datetime:
        """The start of the minute."""
        return datetime.fromtimestamp(self.minute, UTC)


class Traffic:
    """Reads what the gateways wrote; it is at most a few seconds behind."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def stats(
        self, deployment_id: str, since: datetime, until: datetime | None = None, shadow: bool = False
    ) -> dict[str, RouteStats]:
        """Figures by route (a revision's id, or a model's id for a provider's model), of whole minutes.

        The minute in which `since` falls is in, the one in which `until` falls is not.
        """
        routes: dict[str, list[TrafficMinute]] = defaultdict(list)
        for row in self._rows(deployment_id, since, until, shadow):
            routes[row.route].append(row)
        return {route: _stats(rows) for route, rows in routes.items()}

    def series(self, deployment_id: str, since: datetime, shadow: bool = False) -> list[Point]:
        """Every minute of every route that had calls, in order of time."""
        minutes: dict[tuple[int, str], list[TrafficMinute]] = defaultdict(list)
        for row in self._rows(deployment_id, since, None, shadow):
            minutes[row.minute, row.route].append(row)
        return [_point(minute, route, _stats(rows)) for (minute, route), rows in minutes.items()]

    def _rows(
        self, deployment_id: str, since: datetime, until: datetime | None, shadow: bool
    ) -> Sequence[TrafficMinute]:
        with self.database.read() as session:
            end = None if until is None else _minute(until)
            return TrafficRepository(session).between(deployment_id, _minute(since), end, shadow)


def clean_traffic(database: Database, at: datetime | None = None) -> int:
    """Forget figures and answers of shadows older than 30 days; how many rows."""
    before = (at or now()) - KEPT
    with database.write() as session:
        figures = TrafficRepository(session).delete_before(_minute(before))
        return figures + ShadowPairRepository(session).delete_before(before)


def _minute(moment: datetime) -> int:
    return int(moment.timestamp()) // MINUTE_S * MINUTE_S


def _stats(rows: Sequence[TrafficMinute]) -> RouteStats:
    latency, first = added(row.latency for row in rows), added(row.first_token for row in rows)
    return RouteStats(
        calls=sum(row.calls for row in rows),
        errors=sum(row.errors for row in rows),
        p50_ms=percentile(latency, 50),
        p95_ms=percentile(latency, 95),
        first_token_p50_ms=percentile(first, 50),
        first_token_p95_ms=percentile(first, 95),
        prompt_tokens=sum(row.prompt_tokens for row in rows),
        completion_tokens=sum(row.completion_tokens for row in rows),
        histogram=latency,
    )


def _point(minute: int, route: str, stats: RouteStats) -> Point:
    return Point(minute, route, stats.calls, stats.errors, stats.p50_ms, stats.p95_ms)
