"""What a call cost: tokens as the server counts them, else estimated from the texts; and the price of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.capture.text import content_text
from studio.capture.wire.shapes import as_dict, as_json, dicts

BYTES_PER_TOKEN = 4
"""The usual rule of thumb for English; bytes rather than characters, for other scripts need more tokens."""
PER_MESSAGE = 4
"""Tokens that mark a message and its role in common chat templates."""
MILLION = 1_000_000
MOST = 10_000_000
"""Counts beyond are no counts: no call is that long, and sums of them fit every column. NaN is not below it either."""


@dataclass(frozen=True)
class Tokens:
    """A call's tokens. `cached` and `written` are parts of the prompt: read from a cache, and written to one."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    written: int = 0
    estimated: bool = False


def told(usage: dict[str, Any]) -> Tokens | None:
    """Tokens as the server says; None if it says nothing. Anthropic counts what a cache gave beside the prompt."""
    prompt = _count(usage, "prompt_tokens", "input_tokens")
    completion = _count(usage, "completion_tokens", "output_tokens")
    if prompt is None and completion is None:
        return None
    details = as_dict(usage.get("prompt_tokens_details")) or as_dict(usage.get("input_tokens_details"))
    read = _count(usage, "cache_read_input_tokens", "prompt_cache_hit_tokens") or 0
    written = _count(usage, "cache_creation_input_tokens") or 0
    beside = (read + written) if "input_tokens" in usage and "prompt_tokens" not in usage else 0
    return Tokens(
        (prompt or 0) + beside,
        completion or 0,
        min(read or _count(details, "cached_tokens") or 0, (prompt or 0) + beside),
        min(written or _count(details, "cache_write_tokens") or 0, (prompt or 0) + beside),
    )


def estimated(messages: list[dict[str, Any]], tools: list[dict[str, Any]], reply: dict[str, Any]) -> Tokens:
    """About how many there were; pictures and files are not counted."""
    prompt = sum(_of_message(message) + PER_MESSAGE for message in messages)
    prompt += _of_text(as_json(tools)) if tools else 0
    return Tokens(prompt, _of_message(reply), estimated=True)


def cost(prices: dict[str, Any], tokens: Tokens) -> float:
    """USD at these prices per million tokens; 0 when the price is unknown. A price of the cache counts where it is
    named (`cached`, `cache_write`); else the prompt's does.
    """
    prompt, completion = _price(prices, "prompt", 0.0), _price(prices, "completion", 0.0)
    cached, written = _price(prices, "cached", prompt), _price(prices, "cache_write", prompt)
    plain = max(tokens.prompt - tokens.cached - tokens.written, 0)
    spent = plain * prompt + tokens.cached * cached + tokens.written * written + tokens.completion * completion
    return spent / MILLION


def _price(prices: dict[str, Any], name: str, otherwise: float) -> float:
    found = prices.get(name)
    return otherwise if found is None else float(found)


def _of_message(message: dict[str, Any]) -> int:
    calls = (as_dict(call.get("function")) for call in dicts(message.get("tool_calls")))
    spoken = [content_text(message.get("content"))]
    spoken += [as_json(message[name]) for name in ("refusal", "reasoning_content") if message.get(name)]
    spoken += [f"{call.get('name', '')}{call.get('arguments', '')}" for call in calls]
    return sum(_of_text(text) for text in spoken)


def _of_text(text: str) -> int:
    return len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN


def _count(usage: dict[str, Any], *names: str) -> int | None:
    for name in names:
        value = usage.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and -MOST < value < MOST:
            return max(int(value), 0)
    return None
