"""Limits: how many calls and tokens a key may have in a minute, counted in this process with token buckets.

A bucket holds a minute's worth and fills evenly. A call takes one from the first bucket as it comes, and what it cost
from the second once it is answered: whoever overdraws waits until it is filled again.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from studio.gateway.errors import ApiError, Headers
from studio.gateway.keys import KeyOf

MINUTE_S = 60.0
MOST_KEYS = 10_000


@dataclass
class Bucket:
    """Holds up to `size`, and gets `size` a minute; below zero it has to be filled before anything is given."""

    size: int
    at: float
    level: float = field(init=False)

    def __post_init__(self) -> None:
        self.level = float(self.size)

    def fill(self, now: float) -> None:
        """Add what came since the last time."""
        self.level = min(self.level + (now - self.at) * self.size / MINUTE_S, float(self.size))
        self.at = now

    def wait_s(self, wanted: float) -> float:
        """Seconds until there is as much as is wanted."""
        return max(wanted - self.level, 0.0) * MINUTE_S / self.size


@dataclass
class _Buckets:
    calls: Bucket | None
    tokens: Bucket | None


class Limits:
    """The buckets of the keys that have limits; each process of the gateway has its own."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._of: OrderedDict[tuple[str, int | None, int | None], _Buckets] = OrderedDict()

    def admit(self, key: KeyOf) -> Headers:
        """Take one call from the key's share, and say what is left. Raises ApiError 429 with when to come again."""
        if not key.is_limited:
            return []
        buckets = self._buckets(key)
        if buckets.calls is not None and (wait_s := buckets.calls.wait_s(1.0)) > 0:
            raise _too_many("calls", buckets.calls.size, wait_s, _told(buckets))
        if buckets.tokens is not None and (wait_s := buckets.tokens.wait_s(1.0)) > 0:
            raise _too_many("tokens", buckets.tokens.size, wait_s, _told(buckets))
        if buckets.calls is not None:
            buckets.calls.level -= 1
        return _told(buckets)

    def spent(self, key: KeyOf, tokens: int) -> None:
        """Take what a call cost from the key's share."""
        if key.tokens_per_minute is not None and (bucket := self._buckets(key).tokens) is not None:
            bucket.level -= tokens

    def _buckets(self, key: KeyOf) -> _Buckets:
        limits = (key.id, key.calls_per_minute, key.tokens_per_minute)
        now = self._clock()
        if (found := self._of.get(limits)) is None:
            found = self._of[limits] = _Buckets(_bucket(limits[1], now), _bucket(limits[2], now))
            if len(self._of) > MOST_KEYS:
                self._of.popitem(last=False)
        for bucket in (found.calls, found.tokens):
            if bucket is not None:
                bucket.fill(now)
        self._of.move_to_end(limits)
        return found


def _bucket(size: int | None, now: float) -> Bucket | None:
    return Bucket(size, now) if size else None


def _told(buckets: _Buckets) -> Headers:
    headers: Headers = []
    for name, bucket in ((b"requests", buckets.calls), (b"tokens", buckets.tokens)):
        if bucket is not None:
            headers.append((b"x-ratelimit-limit-" + name, b"%d" % bucket.size))
            headers.append((b"x-ratelimit-remaining-" + name, b"%d" % max(bucket.level, 0)))
            headers.append((b"x-ratelimit-reset-" + name, f"{bucket.wait_s(bucket.size):.3f}s".encode()))
    return headers


def _too_many(what: str, size: int, wait_s: float, headers: Headers) -> ApiError:
    message = (
        f"This API key may have {size:,} {what} a minute, and has had them. Try again in {math.ceil(wait_s)} s, or"
        " raise its limit under Settings, API keys."
    )
    error = ApiError(429, message, what.replace("calls", "requests"), "rate_limit_exceeded")
    error.headers += [(b"retry-after", b"%d" % math.ceil(wait_s)), (b"retry-after-ms", b"%d" % math.ceil(wait_s * 1e3))]
    error.headers += headers
    return error
