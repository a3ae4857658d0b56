"""How much a rehearsal takes of a version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
SHARES = (0.25, 0.5, 1.0)
"""Nested parts of the training rows that the worth of labels is told from."""
LEAST_ROWS = 40
ROWS, LONGEST = 128, 16
"""Rows that a rehearsal prepares: an even sample, the longest among them."""


def sample(lines: Sequence[T], size: int = ROWS, longest: int = LONGEST) -> list[T]:
    """An even sample in the order of the file, in which the longest lines have their place."""
    if len(lines) <= size:
        return list(lines)
    by_length = sorted(range(len(lines)), key=lambda place: -len(str(lines[place])))
    step = len(lines) / (size - longest)
    even = {int(place * step) for place in range(size - longest)}
    return [lines[place] for place in sorted(even | set(by_length[:longest]))]


def nested(lines: Sequence[T], share: float) -> list[T]:
    """The first part of the lines; smaller parts lie within bigger ones."""
    return list(lines[: max(1, round(len(lines) * share))])
