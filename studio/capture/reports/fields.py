"""Values of a payload, whatever somebody put into them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

NAN = float("nan")


def dict_of(value: Any) -> dict[str, Any]:
    """An object, or an empty one."""
    return value if isinstance(value, dict) else {}


def dicts_of(value: Any) -> list[dict[str, Any]]:
    """The objects of a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_of(value: Any) -> str | None:
    """A text, or None where there is none."""
    return str(value) if value not in (None, "") and not isinstance(value, dict | list) else None


def number_of(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def seconds_of(value: Any) -> float | None:
    """Unix seconds of a moment: in seconds or milliseconds since 1970, or as ISO 8601."""
    if (number := number_of(value)) is not None:
        return number / 1000 if number > 1e11 else number
    if not isinstance(value, str) or not value:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def status_of(value: Any, otherwise: int = 200) -> int:
    """An HTTP status."""
    number = number_of(value)
    return int(number) if number is not None and 100 <= number <= 599 else otherwise


def span_ms(start: Any, end: Any) -> float:
    """Milliseconds between two moments; 0 where one is not told."""
    since, until = seconds_of(start), seconds_of(end)
    return max(until - since, 0.0) * 1000 if since is not None and until is not None else 0.0


def scalars(value: Any) -> dict[str, Any]:
    """The plain values of an object, as tags can hold them."""
    return {name: item for name, item in dict_of(value).items() if isinstance(item, str | int | float) and name}


def endpoint_of(request: dict[str, Any], response: dict[str, Any], otherwise: str = "chat") -> str:
    """Which endpoint has such bodies, where nobody says it."""
    if "messages" in request:
        return "messages" if response.get("type") == "message" else otherwise
    if "input" in request:
        return "responses" if response.get("object") == "response" or "output" in response else "embeddings"
    return "completions" if "prompt" in request else otherwise
