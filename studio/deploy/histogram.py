"""Latencies as counts per bucket: small to keep for ever, exact to add up, and close enough for percentiles."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence

STEPS_PER_DOUBLING = 4
DOUBLINGS = 20
BUCKETS_MS: tuple[float, ...] = tuple(
    round(2 ** (step / STEPS_PER_DOUBLING), 3) for step in range(DOUBLINGS * STEPS_PER_DOUBLING + 1)
)
"""Upper bounds from 1 ms to 17 min, each 19 % above the one before; a last bucket holds what is longer."""
SIZE = len(BUCKETS_MS) + 1


def bucket_of(milliseconds: float) -> int:
    """The bucket that a latency falls into."""
    return bisect_left(BUCKETS_MS, milliseconds)


def empty() -> list[int]:
    """Counts of nothing."""
    return [0] * SIZE


def added(histograms: Iterable[Sequence[int]]) -> list[int]:
    """The sum of histograms; one that was stored as an empty list counts nothing."""
    total = empty()
    for histogram in histograms:
        for bucket, count in enumerate(histogram[:SIZE]):
            total[bucket] += count
    return total


def percentile(histogram: Sequence[int], percent: float) -> float | None:
    """The latency below which this share lies, in milliseconds, at most one bucket off; None of nothing."""
    total = sum(histogram)
    if not total:
        return None
    wanted, before = total * percent / 100, 0
    for bucket, count in enumerate(histogram):
        if count and before + count >= wanted:
            return _inside(bucket, max(wanted - before, 0) / count)
        before += count
    return BUCKETS_MS[-1]


def above(histogram: Sequence[int], milliseconds: float) -> float:
    """How many took longer, as if latencies lay evenly on the logarithmic width of the bucket that is cut."""
    cut = bucket_of(milliseconds)
    if not 0 < cut < len(BUCKETS_MS):
        return float(sum(histogram[cut + 1 :]))
    low, high = BUCKETS_MS[cut - 1], BUCKETS_MS[cut]
    return sum(histogram[cut + 1 :]) + histogram[cut] * math.log(high / milliseconds) / math.log(high / low)


def _inside(bucket: int, share: float) -> float:
    """A value inside a bucket, as if its latencies lay evenly on the bucket's logarithmic width."""
    if bucket == 0:
        return round(BUCKETS_MS[0] * share, 3)
    if bucket >= len(BUCKETS_MS):
        return BUCKETS_MS[-1]
    low, high = BUCKETS_MS[bucket - 1], BUCKETS_MS[bucket]
    return round(float(low * (high / low) ** share), 3)
