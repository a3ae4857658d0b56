"""A call that was made elsewhere and is told to the studio: one shape for every way to tell it."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass, field
from typing import Any

import orjson

from storage.types import ALPHABET, new_id
from studio.capture.tags import clean_tags
from studio.capture.text import storable

LATEST = 253_402_300_799.0
"""The last second of the year 9999; a moment after it is none."""
LONGEST_ID = 200
IDS = ("external_id", "trace_id", "span_id", "parent_span_id", "session_id", "user_id")


@dataclass
class Reported:
    """The request and the answer as bodies of their endpoint, and the facts beside them."""

    source: str
    request: dict[str, Any]
    response: dict[str, Any] | None = None
    sse: bytes = b""
    """The answer as the events of a stream, where it came like that."""
    endpoint: str = "chat"
    same: str | None = None
    """What names the call where it comes from: told again with the same name, it is the same call."""
    at: float | None = None
    """Unix seconds of its start."""
    latency_ms: float = 0.0
    first_token_ms: float | None = None
    status: str = "ok"
    http_status: int = 200
    error: str | None = None
    stream: bool = False
    tags: dict[str, Any] = field(default_factory=dict)
    external_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None

    @property
    def model(self) -> str:
        """The name asked for."""
        return str(self.request.get("model") or "")

    def bodies(self) -> tuple[bytes, bytes]:
        """Request and reply as a record keeps them. Raises TypeError for what is no JSON."""
        reply = orjson.dumps(storable(self.response)) if self.response is not None else b""
        return orjson.dumps(storable(self.request)), self.sse or reply

    def meta(self, project_id: str, api_key_id: str, provider_id: str | None, prices: dict[str, Any]) -> dict[str, Any]:
        """The facts as a record keeps them."""
        told = {
            "uid": self.uid(project_id),
            "at": moment(self.at),
            "project_id": project_id,
            "api_key_id": api_key_id,
            "source": self.source,
            "endpoint": self.endpoint,
            "model": self.model[:LONGEST_ID],
            "stream": self.stream,
            "sse": bool(self.sse),
            "tags": clean_tags(storable(self.tags)),
            "status": self.status,
            "http_status": self.http_status,
            "error": storable(self.error) if self.error else None,
            "latency_ms": amount(self.latency_ms) or 0.0,
            "first_token_ms": amount(self.first_token_ms),
            "provider_id": provider_id,
            "prices": prices,
        }
        return told | self._ids() | self._figures()

    def uid(self, project_id: str) -> str:
        """Our id: made of the call's name where it has one, so that a repetition changes nothing."""
        return name_id(project_id, self.source, self.same) if self.same else new_id()

    def _ids(self) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in IDS}
        return {name: storable(str(value))[:LONGEST_ID] for name, value in found.items() if value}

    def _figures(self) -> dict[str, Any]:
        figures = {name: amount(getattr(self, name)) for name in ("prompt_tokens", "completion_tokens", "cost_usd")}
        tokens = {name: int(value) for name, value in figures.items() if value is not None and name != "cost_usd"}
        return tokens if figures["cost_usd"] is None else tokens | {"cost_usd": figures["cost_usd"]}


def name_id(*parts: str) -> str:
    """An id in our form that is the same whenever these parts are the same."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).digest()
    number = int.from_bytes(digest[:13], "big")
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(95, -1, -5))


def moment(at: float | None) -> float:
    """Unix seconds that a calendar knows; the present where nothing sensible is told."""
    return float(at) if at is not None and math.isfinite(at) and 0 < at < LATEST else time.time()


def amount(value: Any) -> float | None:
    """A finite number that is not negative, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and 0 <= number < 1e15 else None


def chat_reply(
    choices: list[dict[str, Any]],
    *,
    model: str = "",
    reply_id: str | None = None,
    usage: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The body of a chat completion that says this."""
    numbered = [{"index": number, **choice} for number, choice in enumerate(choices)]
    told = {"id": reply_id, "object": "chat.completion", "model": model, "choices": numbered, "usage": usage}
    return {name: value for name, value in told.items() if value not in (None, "")}
