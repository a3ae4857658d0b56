"""One call through the gateway: what is known of it, recorded once, before the caller has the whole answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from storage.types import new_id
from studio.capture.recorder import Recorder
from studio.deploy.counting import Attempt
from studio.deploy.router import Route
from studio.gateway.body import Body
from studio.gateway.errors import ApiError
from studio.gateway.headers import LOG_ID
from studio.gateway.keys import KeyOf
from studio.gateway.usage import has_error, tokens_told

MOST_KEPT = 8 << 20
"""Bytes of an answer that are recorded; a longer one is passed on whole and recorded cut."""
LONGEST_MARK = 48
"""Bytes of the last piece that may begin a mark which the next one ends."""
CLIENT_CLOSED = 499
TOO_BUSY = 429
Counts = Callable[[Attempt], None]
Spend = Callable[[KeyOf, int], None]
"""Takes the tokens of a call from its key's share."""


class Call:
    """Collects facts while the answer passes, and hands them to the recorder."""

    def __init__(self, key: KeyOf, body: Body, recorder: Recorder, counts: Counts, spend: Spend) -> None:
        self.uid = new_id()
        self.key = key
        self.body = body
        self.route: Route | None = None
        self.sse = False
        self.reply = b""
        self.failed = False
        """Whether the answer told an error on its way, under a status of 200."""
        self.answered_ms = 0.0
        """How long the route took that answered."""
        self._recorder = recorder
        self._counts = counts
        self._spend = spend
        self._at = time.time()
        self._started = self._asked = time.perf_counter()
        self._first: float | None = None
        self._pieces: list[bytes] = []
        self._kept = 0
        self._tail = b"\n"
        self._ending = False
        self.tokens: tuple[int, int] | None = None
        """Prompt and completion tokens as the answer told them, once it is complete."""
        self.ended = ""
        self._writing: asyncio.Task[bool] | None = None

    def begin(self, route: Route) -> None:
        """Note that this route is asked now."""
        self.route = route
        self._asked = time.perf_counter()

    def attempt_failed(self) -> None:
        """Count the route that gave no answer; another is asked."""
        if (route := self.route) and route.deployment_id:
            self._counts(Attempt(route.deployment_id, route.key, failed=True))

    def keep_whole(self, body: bytes) -> None:
        """Keep an answer that came in one piece."""
        self._first = time.perf_counter()
        self._pieces = [body]

    def keep(self, piece: bytes) -> bool:
        """Keep a piece of the answer. True when the stream says that it was the last one."""
        if self._first is None:
            self._first = time.perf_counter()
        if self._kept < MOST_KEPT:
            self._pieces.append(piece)
            self._kept += len(piece)
        end = self.body.endpoint.end
        if not self._ending:
            seen = self._tail + piece
            self._tail = seen[-LONGEST_MARK:]
            self._ending = end.hint in seen and any(mark in seen for mark in end.marks)
        return self._ending and (not end.whole_line or piece.endswith(b"\n"))

    def end(self, status: str, http_status: int, error: str | None = None) -> None:
        """Record the call; only the first end counts. A `bug` is an error that no server is blamed for."""
        if self.ended:
            return
        self.ended = status
        self.reply = b"".join(self._pieces)
        self._count(status, http_status)
        if self.key.tokens_per_minute is not None:
            self._spend(self.key, sum(self.told()))
        told = "error" if status == "bug" else status
        if self.body.is_recorded:
            self._writing = self._recorder.begin(self._meta(told, http_status, error), self.body.raw, self.reply)

    async def written(self) -> None:
        """Wait until a big call is in the journal; any other is there already."""
        if self._writing is not None:
            await asyncio.shield(self._writing)

    def _count(self, status: str, http_status: int) -> None:
        route = self.route
        if route is None or not route.deployment_id:
            return
        self.answered_ms = (time.perf_counter() - self._asked) * 1000
        if status != "ok":
            failed = status == "cut" or (status == "error" and (http_status >= 500 or http_status == TOO_BUSY))
            waited = self.answered_ms if status == "aborted" and self._first is None else None
            self._counts(Attempt(route.deployment_id, route.key, failed, waited))  # else hanging would look quick
            return
        self.failed = failed = self.sse and has_error(self.reply, self.body.endpoint)
        first = (self._first - self._asked) * 1000 if self.sse and self._first else None
        whole = None if failed else self.answered_ms
        self._counts(Attempt(route.deployment_id, route.key, failed, whole, first, *self.told()))

    def told(self) -> tuple[int, int]:
        """Prompt and completion tokens as far as the answer tells them."""
        if self.tokens is None:
            self.tokens = tokens_told(self.body.raw, self.reply, self.sse, self.body.endpoint)
        return self.tokens

    def fail(self, error: ApiError) -> None:
        """Record that the caller gets this error, and tell them the call's id."""
        error.headers.append((LOG_ID, self.uid.encode()))
        self.end("error", error.status, error.message)

    def _meta(self, status: str, http_status: int, error: str | None) -> dict[str, Any]:
        route = self.route
        return {
            "uid": self.uid,
            "at": self._at,
            "project_id": self.key.project_id,
            "api_key_id": self.key.id,
            "endpoint": self.body.endpoint.name,
            "model": self.body.model,
            "stream": self.body.stream,
            "sse": self.sse,
            "tags": self.body.tags,
            "status": status,
            "http_status": http_status,
            "error": error,
            "latency_ms": self._elapsed_ms(),
            "first_token_ms": (self._first - self._started) * 1000 if self._first else None,
            "upstream_model": route.upstream_model if route else "",
            "deployment_id": route.deployment_id if route else None,
            "revision_id": route.revision_id if route else None,
            "provider_id": route.provider_id if route else None,
            "prices": route.prices if route else {},
            **self.body.facts,
        }

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._started) * 1000
