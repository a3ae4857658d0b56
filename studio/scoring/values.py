"""Equality of JSON values as people mean it: key order, spaces and 1 against 1.0 make no difference, true is not 1."""

from __future__ import annotations

import json
from typing import Any

from studio.curate.outputs import canonical


def parsed(text: str) -> tuple[bool, Any]:
    """Whether the text is JSON, and its value with whole floats as integers."""
    try:
        return True, json.loads(text, parse_float=_number)
    except (ValueError, RecursionError):
        return False, None


def as_object(text: str) -> dict[str, Any] | None:
    """The JSON object that the text is, or None."""
    _, value = parsed(text)
    return value if isinstance(value, dict) else None


def same(first: Any, second: Any) -> bool:
    """Whether two JSON values are equal."""
    return canonical(first) == canonical(second)


def _number(text: str) -> float | int:
    value = float(text)
    return int(value) if value.is_integer() else value
