"""Outside data, of which nothing is known: the parts that are as they should be, and nothing for the rest."""

from __future__ import annotations

from typing import Any

import orjson


def as_dict(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; none if it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def as_text(value: Any) -> str | None:
    """A name or an id; None where there is none."""
    return str(value) if value and not isinstance(value, dict | list) else None


def string(value: Any) -> str:
    """A text as it is; anything else is no text."""
    return value if isinstance(value, str) else ""


def number(value: Any) -> int:
    """A place in a list, zero if it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    """The fields but these."""
    return {name: value for name, value in fields.items() if name not in names}


def known(**fields: Any) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def as_json(value: Any) -> str:
    """A value as JSON text; a text as it is."""
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        return str(value)
