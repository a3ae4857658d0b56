"""How far two answers lie apart, 0 (equal) to 1: sets of labels, marked spans, rankings.

Passonneau, R. (2006). Measuring agreement on set-valued items (MASI) for semantic and pragmatic annotation. LREC.
Kendall, M. G. (1945). The treatment of ties in ranking problems. Biometrika 33, 239-251.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from itertools import combinations
from math import sqrt

Labels = frozenset[Hashable]
Span = tuple[int, int, str]
"""Start, end (not included), kind."""
Spans = frozenset[Span]
Ranks = tuple[tuple[str, int], ...]
"""(what is ranked, its place), sorted; equal places are ties."""


def masi(one: Labels, other: Labels) -> float:
    """1 - J·M: Jaccard's overlap times 1 for equal sets, 2/3 for a subset, 1/3 for a partial overlap, else 0."""
    if one == other:
        return 0.0
    shared = len(one & other)
    monotone = 2 / 3 if one <= other or other <= one else 1 / 3
    return 1 - shared / len(one | other) * monotone


def span_distance(one: Spans, other: Spans) -> float:
    """1 - F1 over marked characters, each with its kind: part of a passage marked alike is part of an agreement."""
    if one == other:
        return 0.0
    first, second = _covered(one), _covered(other)
    size = _size(first) + _size(second)
    shared = sum(_overlap(first[kind], second[kind]) for kind in first.keys() & second.keys())
    return 1 - 2 * shared / size if size else 0.0


def tau_b(one: Ranks, other: Ranks) -> float | None:
    """Kendall's τ_b over what both rank, -1 to 1; None with fewer than two things in common.

    Where one person ties everything the coefficient is 0/0: it is 1 when the other does so too, else 0.
    """
    first, second = dict(one), dict(other)
    common = sorted(first.keys() & second.keys())
    if len(common) < 2:
        return None
    steps = [(_sign(first[a] - first[b]), _sign(second[a] - second[b])) for a, b in combinations(common, 2)]
    score = sum(left * right for left, right in steps)
    apart = sum(bool(left) for left, _right in steps), sum(bool(right) for _left, right in steps)
    if not all(apart):
        return float(apart == (0, 0))
    return score / sqrt(apart[0] * apart[1])


def _covered(spans: Spans) -> dict[str, list[tuple[int, int]]]:
    """Merged stretches of text by kind."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for start, end, kind in sorted(spans):
        stretches = found[kind]
        if stretches and start <= stretches[-1][1]:
            stretches[-1] = stretches[-1][0], max(end, stretches[-1][1])
        else:
            stretches.append((start, end))
    return found


def _size(covered: dict[str, list[tuple[int, int]]]) -> int:
    return sum(end - start for stretches in covered.values() for start, end in stretches)


def _overlap(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> int:
    """Characters in both."""
    return sum(max(0, min(end, last) - max(start, first)) for start, end in one for first, last in other)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
