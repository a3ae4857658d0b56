"""Asking a provider's model: what is asked and what comes back. Evaluations compare answers, training learns them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Prompt:
    """What a model is asked: never the reference."""

    example_id: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """What came back. `latency_ms` is 0 where it was not measured on its own."""

    output: str = ""
    error: str | None = None
    latency_ms: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
