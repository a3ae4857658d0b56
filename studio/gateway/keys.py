"""API keys, remembered for a few seconds, so that a call costs no query and a revoked key stops soon."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple, Protocol, TypeVar

from sqlalchemy.exc import DBAPIError

from storage.tables import ApiKey
from studio.access.keys import ALL_BUT_READ, INFER, allowed_scopes
from studio.gateway.credentials import secret_of
from studio.gateway.errors import ApiError, not_allowed, wrong_key
from studio.gateway.http import Request

FRESH_S = 2.5
KNOWN_S = 5.0
MOST = 10_000
UNKNOWN_S, MOST_UNKNOWN = 1.0, 4096
"""A wrong key is refused from memory for so long: a key that is made meanwhile works within that second."""
AT_ONCE, MOST_IN_LINE = 4, 256
"""Keys never seen before that are looked up at once, and that may wait for it: a flood of them reaches nobody else."""
NOTED_EVERY_S = 30.0

__all__ = ["INFER", "KeyCache", "KeyOf", "Resolves"]

log = logging.getLogger(__name__)

T = TypeVar("T")


class Resolves(Protocol):
    """Finds a key by its secret."""

    def resolve(self, secret: str, /) -> ApiKey | None:
        """The key, or None."""
        ...

    def mark_used(self, key_ids: Iterable[str], /) -> None:
        """Note that these keys were just used."""
        ...


class KeyOf(NamedTuple):
    """Who is calling."""

    id: str
    project_id: str
    scopes: frozenset[str] = ALL_BUT_READ
    calls_per_minute: int | None = None
    tokens_per_minute: int | None = None
    expires_at: float | None = None
    """Unix seconds."""

    @property
    def is_limited(self) -> bool:
        """Whether calls or tokens are counted."""
        return self.calls_per_minute is not None or self.tokens_per_minute is not None

    @classmethod
    def of(cls, key: ApiKey) -> KeyOf:
        """What the gateway needs to know of a key."""
        ends = key.expires_at.timestamp() if key.expires_at else None
        limits = key.calls_per_minute, key.tokens_per_minute
        return cls(key.id, key.project_id, allowed_scopes(key), *limits, ends)


class _Known(NamedTuple):
    key: KeyOf
    at: float


class KeyCache:
    """Answers from memory; looks again in the background after 2.5 s, and waits for that after 5 s."""

    def __init__(self, keys: Resolves) -> None:
        self._keys = keys
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._new = asyncio.Semaphore(AT_ONCE)
        self._in_line = 0
        self._asking: dict[bytes, asyncio.Task[KeyOf | None]] = {}
        self._used: set[str] = set()

    async def require(self, request: Request, scope: str | None = None) -> KeyOf:
        """The caller's key. Raises ApiError 401, or 403 when it lacks the scope (None asks for no scope)."""
        key = await self._find(secret_of(request))
        if key is None or (key.expires_at is not None and key.expires_at <= time.time()):
            raise wrong_key()
        if scope is not None and scope not in key.scopes:
            raise not_allowed(scope)
        self._used.add(key.id)
        return key

    async def note_used(self) -> None:
        """Write down every half minute which keys were used, for ever."""
        while True:
            await asyncio.sleep(NOTED_EVERY_S)
            used, self._used = self._used, set()
            if used:
                await self._note(used)

    async def _note(self, used: set[str]) -> None:
        try:
            await asyncio.to_thread(self._keys.mark_used, used)
        except DBAPIError as error:
            log.warning("Last use of API keys is not noted: %s", error.orig)

    async def _find(self, secret: str) -> KeyOf | None:
        digest = hashlib.sha256(secret.encode()).digest()
        known, now = self._known.get(digest), time.monotonic()
        if known and now - known.at < FRESH_S:
            return known.key
        if now - self._unknown.get(digest, -UNKNOWN_S) < UNKNOWN_S:
            return None
        task = self._asking.get(digest) or self._ask(digest, secret)
        if known and now - known.at < KNOWN_S:
            return known.key
        try:
            return await asyncio.shield(task)
        except DBAPIError as error:
            return self._while_away(known, error)

    def _ask(self, digest: bytes, secret: str) -> asyncio.Task[KeyOf | None]:
        task = asyncio.ensure_future(self._look_up(digest, secret))
        self._asking[digest] = task
        task.add_done_callback(lambda done: self._asked(digest, done))
        return task

    def _asked(self, digest: bytes, task: asyncio.Task[KeyOf | None]) -> None:
        self._asking.pop(digest, None)
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, ApiError):
            log.warning("API keys cannot be looked up: %s", error)

    async def _look_up(self, digest: bytes, secret: str) -> KeyOf | None:
        found = await (self._resolved if digest in self._known else self._resolved_in_turn)(secret)
        key = KeyOf.of(found) if found else None
        if key is None:
            self._known.pop(digest, None)
            _remember(self._unknown, digest, time.monotonic(), MOST_UNKNOWN)
        else:
            self._unknown.pop(digest, None)
            _remember(self._known, digest, _Known(key, time.monotonic()), MOST)
        return key

    async def _resolved(self, secret: str) -> ApiKey | None:
        return await asyncio.to_thread(self._keys.resolve, secret)

    async def _resolved_in_turn(self, secret: str) -> ApiKey | None:
        if self._in_line >= MOST_IN_LINE:
            raise _flooded()
        self._in_line += 1
        try:
            async with self._new:
                return await self._resolved(secret)
        finally:
            self._in_line -= 1

    def _while_away(self, known: _Known | None, error: DBAPIError) -> KeyOf | None:
        """Callers known before go on being served while the database is away."""
        if known is not None:
            return known.key
        message = "The studio cannot check API keys now: its database does not answer. Try again in a moment."
        raise ApiError(503, message, "server_error", "database_unavailable") from error


def _remember(known: OrderedDict[bytes, T], digest: bytes, what: T, most: int) -> None:
    known[digest] = what
    known.move_to_end(digest)
    if len(known) > most:
        known.popitem(last=False)


def _flooded() -> ApiError:
    message = "Too many keys that were never seen before are being checked. Try again in a moment."
    error = ApiError(503, message, "server_error", "busy")
    error.headers.append((b"retry-after", b"1"))
    return error
