"""The values that the data itself holds, as labels to pick from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storage.tables import Example

MOST_VALUES = 20
LONGEST = 60


def label_values(examples: Sequence[Example]) -> dict[str, list[str]]:
    """Field → its values, most frequent first; the whole answer has the name "". Only what reads as a choice."""
    counts: dict[str, Counter[str]] = {}
    for example in examples:
        for field, value in _values(example.output):
            counts.setdefault(field, Counter())[value] += 1
    return {field: [value for value, _n in found.most_common()] for field, found in counts.items() if _is_choice(found)}


def _values(output: str) -> Iterable[tuple[str, str]]:
    try:
        found: Any = json.loads(output)
    except ValueError:
        return [("", output.strip())]
    if isinstance(found, Mapping):
        return [(str(field), _text(value)) for field, value in found.items() if isinstance(value, str | bool)]
    return [("", _text(found))]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _is_choice(found: Counter[str]) -> bool:
    """Few and short values that come again and again."""
    short = all(0 < len(value) <= LONGEST for value in found)
    return short and 2 <= len(found) <= MOST_VALUES and found.total() >= 2 * len(found)
