"""Tags: short text labels on a call, from the request's `metadata` and from a header."""

from __future__ import annotations

from typing import Any

MOST = 32
LONGEST_NAME = 64
LONGEST_VALUE = 512


def clean_tags(found: dict[str, Any]) -> dict[str, str]:
    """At most 32 tags, values as text (so that a filter compares like with like)."""
    kept = [(name, value) for name, value in found.items() if value is not None][:MOST]
    return {str(name)[:LONGEST_NAME]: _text(value)[:LONGEST_VALUE] for name, value in kept}


def header_tags(header: str) -> dict[str, str]:
    """Tags written `name=value,name=value`; a name alone is a tag with the value `true`."""
    pairs = (part.partition("=") for part in header.split(",") if part.strip())
    return clean_tags({name.strip(): value.strip() or "true" for name, _, value in pairs if name.strip()})


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)
