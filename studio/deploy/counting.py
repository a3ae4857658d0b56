"""Counter: what a gateway process counts of its attempts, in memory on the hot path and written from a thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from storage.database import Database
from storage.repositories.traffic import TrafficRepository
from storage.types import new_id
from studio.deploy.histogram import bucket_of, empty

MINUTE_S = 60
MOST_MINUTES = 5_000
"""Minutes of routes that are kept while the database is away: 20 routes for four hours, about 8 MB."""

log = logging.getLogger(__name__)


class Attempt(NamedTuple):
    """One server asked once."""

    deployment_id: str
    route: str
    """A revision's id, or a model's id for a provider's model."""
    failed: bool = False
    """The server's fault: no answer, a timeout, 401, 403, 404, 424, 429 or 5xx."""
    ms: float | None = None
    """Of a whole answer, or until its caller hung up without a first byte; None when there was none."""
    first_token_ms: float | None = None
    """Of a stream."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    shadow: bool = False


class _Key(NamedTuple):
    deployment_id: str
    route: str
    minute: int
    shadow: bool


@dataclass
class _Minute:
    calls: int = 0
    errors: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency: list[int] = field(default_factory=empty)
    first_token: list[int] = field(default_factory=empty)
    changed: bool = True


class Counter:
    """Counts attempts by route and minute; whole minutes are written each time, so a write can be repeated safely.

    Every process has rows of its own. While the database is away it goes on counting and writes later; what is lost
    is at most the seconds since the last write when the process is killed.
    """

    def __init__(self, database: Database | None, clock: Callable[[], float] = time.time) -> None:
        self.gateway = new_id()
        self.dropped = 0
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._minutes: dict[_Key, _Minute] = {}
        self._newest = 0
        self._failing = False

    def count(self, attempt: Attempt) -> None:
        """Count one attempt in the minute in which it ended."""
        with self._lock:
            self._newest = max(self._newest, int(self._clock()) // MINUTE_S * MINUTE_S)  # a clock set back adds no row
            key = _Key(attempt.deployment_id, attempt.route, self._newest, attempt.shadow)
            found = self._minutes.get(key) or self._new(key)
            found.calls += 1
            found.errors += attempt.failed
            found.prompt_tokens += attempt.prompt_tokens
            found.completion_tokens += attempt.completion_tokens
            if attempt.ms is not None:
                found.latency[bucket_of(attempt.ms)] += 1
            if attempt.first_token_ms is not None:
                found.first_token[bucket_of(attempt.first_token_ms)] += 1
            found.changed = True

    def flush(self) -> bool:
        """Write what changed since the last time. False when the database did not take it; it is kept then."""
        if self._database is None:
            return True
        with self._writing:
            taken = self._take()
            if not taken:
                return True
            try:
                with self._database.write() as session:
                    TrafficRepository(session).put([self._row(key, minute) for key, minute in taken])
            except SQLAlchemyError as error:
                self._keep(taken, error)
                return False
            self._forget_past()
            return True

    def _new(self, key: _Key) -> _Minute:
        if len(self._minutes) >= MOST_MINUTES:
            self.dropped += self._minutes.pop(min(self._minutes, key=lambda old: old.minute)).calls
        return self._minutes.setdefault(key, _Minute())

    def _take(self) -> list[tuple[_Key, _Minute]]:
        with self._lock:
            taken = [(key, _copy(minute)) for key, minute in self._minutes.items() if minute.changed]
            for key, _ in taken:
                self._minutes[key].changed = False
        return taken

    def _keep(self, taken: list[tuple[_Key, _Minute]], error: SQLAlchemyError) -> None:
        with self._lock:
            for key, _ in taken:
                if key in self._minutes:
                    self._minutes[key].changed = True
        if not self._failing:
            log.warning("The traffic figures cannot be written; they are kept and written later: %s", error)
        self._failing = True

    def _forget_past(self) -> None:
        self._failing = False
        with self._lock:
            past = [key for key, kept in self._minutes.items() if key.minute < self._newest and not kept.changed]
            for key in past:
                del self._minutes[key]

    def _row(self, key: _Key, minute: _Minute) -> dict[str, Any]:
        figures = {name: value for name, value in vars(minute).items() if name != "changed"}
        return {**key._asdict(), "gateway": self.gateway, **figures}


def _copy(minute: _Minute) -> _Minute:
    return _Minute(**{**vars(minute), "latency": list(minute.latency), "first_token": list(minute.first_token)})
