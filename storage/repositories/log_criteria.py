"""What a filter of calls says, as the queries read it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

Texts = tuple[str, ...]
Range = tuple[float | None, float | None]

TEXT_CONDITIONS = {
    "models": "model",
    "statuses": "status",
    "served_models": "served_model",
    "deployments": "deployment_id",
    "revisions": "revision_id",
    "providers": "provider_id",
    "api_keys": "api_key_id",
    "templates": "template_id",
    "endpoints": "endpoint",
    "languages": "language",
    "finish_reasons": "finish_reason",
    "users": "user_id",
    "sessions": "session_id",
    "traces": "trace_id",
    "uids": "uid",
}
"""Conditions that name values of a column; the empty text stands for calls without one."""
RANGE_CONDITIONS = ("latency_ms", "first_token_ms", "cost_usd", "prompt_tokens", "completion_tokens", "score")
"""Conditions that give a column's bounds, both within."""
FLAGS = ("feedback", "correction", "tools", "tool_calls", "redactions", "stream")
"""What a call may have."""


class Criteria(Protocol):
    """A filter of calls. What it asks of the columns named above is read by name."""

    @property
    def project_id(self) -> str:
        """Whose calls."""
        ...

    @property
    def text(self) -> str:
        """Words to search for."""
        ...

    @property
    def models(self) -> Texts:
        """Names the caller asked for."""
        ...

    @property
    def statuses(self) -> Texts:
        """Statuses."""
        ...

    @property
    def ratings(self) -> Texts:
        """up, down or none."""
        ...

    @property
    def tags(self) -> tuple[tuple[str, str], ...]:
        """Tags with their values, all of which must be there."""
        ...

    @property
    def since(self) -> datetime | None:
        """Start of the time range."""
        ...

    @property
    def until(self) -> datetime | None:
        """End of the time range, not in it."""
        ...

    @property
    def source(self) -> str:
        """How the call came in."""
        ...

    @property
    def has(self) -> Texts:
        """Some of FLAGS, any of which will do."""
        ...


def values_of(criteria: Criteria, name: str) -> Texts:
    """The values of one of TEXT_CONDITIONS."""
    found: Texts = getattr(criteria, name)
    return found


def range_of(criteria: Criteria, name: str) -> Range:
    """The bounds of one of RANGE_CONDITIONS."""
    found: Any = getattr(criteria, name)
    return (found[0], found[1]) if found else (None, None)
