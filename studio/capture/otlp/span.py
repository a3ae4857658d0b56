"""Span: one operation of a trace, the same whether it came as protobuf or as JSON."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

TRACE_DIGITS, SPAN_DIGITS = 32, 16
ERROR = 2


@dataclass(frozen=True)
class Event:
    """Something that happened during a span."""

    name: str
    at_ns: int
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Span:
    """Ids are hex digits; attributes are plain values."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    events: tuple[Event, ...] = ()
    status: int = 0
    status_message: str = ""
    resource: dict[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether it says that it failed."""
        return self.status == ERROR

    @property
    def same(self) -> str:
        """What names it: its ids, or all that it says where it has none."""
        if self.span_id:
            return f"{self.trace_id}/{self.span_id}"
        said = repr((self.name, self.start_ns, self.attributes)).encode("utf-8", "replace")
        return f"event/{hashlib.sha256(said).hexdigest()}"


@dataclass
class Export:
    """What one request brought."""

    spans: list[Span] = field(default_factory=list)
    refused: int = 0
    reason: str = ""

    def refuse(self, reason: str) -> None:
        """Count a span, or a log record, that cannot be taken."""
        self.refused += 1
        self.reason = self.reason or reason


def problem(span: Span) -> str | None:
    """Why a span cannot be taken."""
    if not _is_hex(span.trace_id, TRACE_DIGITS):
        return "A span has no valid trace id: 16 bytes that are not all zero."
    if not _is_hex(span.span_id, SPAN_DIGITS):
        return "A span has no valid span id: 8 bytes that are not all zero."
    return None


def _is_hex(text: str, digits: int) -> bool:
    return len(text) == digits and text.strip("0") != "" and not text.strip("0123456789abcdef")
