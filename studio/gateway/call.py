"""One call through the gateway: what is known of it, recorded once, before the caller has the whole answer."""

from __future__ import annotations

import time
from typing import Any

from storage.types import new_id
from studio.capture.recorder import Recorder
from studio.deploy.router import Route
from studio.gateway.body import ChatBody
from studio.gateway.errors import ApiError
from studio.gateway.headers import LOG_ID
from studio.gateway.keys import KeyOf

MOST_KEPT = 8 << 20
"""Bytes of an answer that are recorded; a longer one is passed on whole and recorded cut."""
DONE = (b"\ndata: [DONE]", b"\ndata:[DONE]")
CLIENT_CLOSED = 499


class Call:
    """Collects facts while the answer passes, and hands them to the recorder."""

    def __init__(self, key: KeyOf, body: ChatBody, recorder: Recorder) -> None:
        self.uid = new_id()
        self.key = key
        self.body = body
        self.route: Route | None = None
        self.sse = False
        self._recorder = recorder
        self._at = time.time()
        self._started = time.perf_counter()
        self._first_ms: float | None = None
        self._pieces: list[bytes] = []
        self._kept = 0
        self._tail = b"\n"
        self.ended = ""

    def keep(self, piece: bytes) -> bool:
        """Keep a piece of the answer. True when the stream says that it was the last one."""
        if self._first_ms is None:
            self._first_ms = self._elapsed_ms()
        if self._kept < MOST_KEPT:
            self._pieces.append(piece)
            self._kept += len(piece)
        seen = self._tail + piece
        self._tail = seen[-16:]
        return b"[DONE]" in seen and any(mark in seen for mark in DONE)

    def end(self, status: str, http_status: int, error: str | None = None) -> None:
        """Record the call; only the first end counts."""
        if self.ended:
            return
        self.ended = status
        self._recorder.call(self._meta(status, http_status, error), self.body.raw, b"".join(self._pieces))

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
            "model": self.body.model,
            "stream": self.body.stream,
            "sse": self.sse,
            "tags": self.body.tags,
            "status": status,
            "http_status": http_status,
            "error": error,
            "latency_ms": self._elapsed_ms(),
            "first_token_ms": self._first_ms,
            "upstream_model": route.upstream_model if route else "",
            "deployment_id": route.deployment_id if route else None,
            "revision_id": route.revision_id if route else None,
            "provider_id": route.provider_id if route else None,
            "prices": route.prices if route else {},
        }

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._started) * 1000
