"""Answers held against somebody's JSON schema: nothing is fetched, and no pattern of theirs takes for ever."""

from __future__ import annotations

from typing import Any

import regex
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend, validator_for
from referencing import Registry

REGEX_S = 1.0
TEXT_MOST = 10_000
UNCHECKED = "patternProperties"
"""The one keyword whose patterns cannot be given a time limit here."""


def checker(schema: dict[str, Any]) -> Any:
    """The schema's validator with patterns that end. Raises its errors as `jsonschema` does."""
    # An empty registry: by default a `$ref` in a schema would be fetched over the network.
    limited = extend(validator_for(schema, Draft202012Validator), {"pattern": _pattern})
    return limited(schema, registry=Registry())


def holds_unchecked(schema: Any) -> bool:
    """Whether the schema has a keyword, at any depth, that this module does not check safely."""
    if isinstance(schema, dict):
        return UNCHECKED in schema or any(map(holds_unchecked, schema.values()))
    return isinstance(schema, list) and any(map(holds_unchecked, schema))


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found within the time limit: what cannot be shown to match does not."""
    try:
        return regex.search(pattern, text, timeout=REGEX_S) is not None
    except TimeoutError:
        return False


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Any:
    if isinstance(instance, str) and not matches(pattern, instance[:TEXT_MOST]):
        yield ValidationError(f"{instance[:80]!r} does not match {pattern!r}")
