"""The statistics behind every number on the Evaluate and Improve pages: intervals, paired tests, proportions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from studio.scoring.proportions import wilson

RESAMPLES = 10_000
LEVEL = 0.95
CHUNK = 4_000_000
"""Numbers drawn at once, so that memory stays flat for large samples."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval and the number of examples behind it."""

    mean: float
    low: float
    high: float
    n: int

    def to_dict(self) -> dict[str, float | int]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class PairedResult:
    """How one model does against another on the same examples."""

    difference: float
    low: float
    high: float
    p_value: float
    wins: int
    losses: int
    ties: int
    n: int

    @property
    def shown(self) -> bool:
        """Whether the data show a difference: exact test below 5 % and an interval without zero."""
        return self.p_value < 1 - LEVEL and not self.low <= 0 <= self.high


def bootstrap_means(
    values: Sequence[float], seed: int = 0, resamples: int = RESAMPLES
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Means of resamples with replacement.

    Drawing how often each distinct value turns up is the same as drawing examples one by one, and far cheaper.
    """
    distinct, counts = np.unique(np.asarray(values, dtype=float), return_counts=True)
    rng, n = np.random.default_rng(seed), len(values)
    step = max(1, CHUNK // len(distinct))
    draws = (rng.multinomial(n, counts / n, size=min(step, resamples - start)) for start in range(0, resamples, step))
    return np.concatenate([draw @ distinct / n for draw in draws])


def estimate(values: Sequence[float], seed: int = 0) -> Estimate:
    """Mean with its bootstrap percentile interval.

    When all of a yes/no sample agrees, resampling cannot vary and would claim certainty; Wilson's interval is given.
    """
    if not len(values):
        return Estimate(0.0, 0.0, 1.0, 0)
    mean, n = float(np.mean(values)), len(values)
    if mean in (0.0, 1.0) and set(values) <= {0.0, 1.0}:
        return Estimate(mean, *wilson(round(mean * n), n), n)
    low, high = _percentiles(bootstrap_means(values, seed))
    return Estimate(mean, low, high, n)


def compare(first: Sequence[float], second: Sequence[float], seed: int = 0) -> PairedResult:
    """First against second on the same examples: paired bootstrap of the difference, exact test of wins and losses."""
    if len(first) != len(second):
        raise ValueError("a paired comparison needs the same examples on both sides")
    if not len(first):
        return PairedResult(0.0, -1.0, 1.0, 1.0, 0, 0, 0, 0)
    gaps = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    wins, losses = int((gaps > 0).sum()), int((gaps < 0).sum())
    low, high = _percentiles(bootstrap_means(gaps.tolist(), seed))
    p_value = mcnemar(wins, losses)
    return PairedResult(float(gaps.mean()), low, high, p_value, wins, losses, len(gaps) - wins - losses, len(gaps))


def mcnemar(wins: int, losses: int) -> float:
    """Exact two-sided McNemar (sign) test on the examples where the two differ."""
    n = wins + losses
    if n == 0:
        return 1.0
    tail = sum(math.comb(n, k) for k in range(min(wins, losses) + 1))
    return min(1.0, 2 * tail / (1 << n))


def newcombe(first: tuple[int, int], second: tuple[int, int]) -> tuple[float, float, float]:
    """Difference of two independent proportions (successes, n) with Newcombe's hybrid 95 % interval."""
    (k1, n1), (k2, n2) = first, second
    if not n1 or not n2:
        return 0.0, -1.0, 1.0
    p1, p2 = k1 / n1, k2 / n2
    (low1, high1), (low2, high2) = wilson(k1, n1), wilson(k2, n2)
    gap = p1 - p2
    return gap, gap - math.hypot(p1 - low1, high2 - p2), gap + math.hypot(high1 - p1, p2 - low2)


def percentile(values: Sequence[float], cut: float) -> float:
    """The value below which `cut` percent lie; 0 for none."""
    if not len(values):
        return 0.0
    found: float = np.percentile(np.asarray(values, dtype=float), cut).item()
    return found


def _percentiles(means: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float]:
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)
