"""The interval of a share, as of gold questions answered rightly or thumbs that point up."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

Z = 1.959963984540054
"""Standard normal quantile of a 95 % interval."""
NEGLIGIBLE = 1e-17
"""What adds less than this share changes no digit."""


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion; the whole range when there are no trials.

    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. JASA 22, 209-212.
    """
    if n == 0:
        return 0.0, 1.0
    share, spread = successes / n, Z * Z / n
    centre = (share + spread / 2) / (1 + spread)
    half = Z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return (max(0.0, centre - half) if successes else 0.0), (min(1.0, centre + half) if successes < n else 1.0)


def binomial_upper_tail(successes: int, n: int, share: float) -> float:
    """Chance of at least this many successes in n trials of this probability (exact, one-sided)."""
    odds = share / (1 - share)

    def log_chance(k: int) -> float:
        return _log_choose(n, k) + k * math.log(share) + (n - k) * math.log1p(-share)

    def rise(k: int) -> float:
        return (n - k) / (k + 1) * odds

    return _upper_tail(successes, range(n + 1), n * share, log_chance, rise)


def fisher_upper_tail(k1: int, n1: int, k2: int, n2: int) -> float:
    """Chance of at least k1 of the successes falling on the first sample, if both have the same share (one-sided).

    Fisher, R. A. (1922). On the interpretation of chi-squared from contingency tables, and the calculation of P.
    JRSS 85, 87-94. Exact also where counts are few, as errors are.
    """
    if k1 <= 0:
        return 1.0
    together, whole = k1 + k2, _log_choose(n1 + n2, k1 + k2)

    def log_chance(k: int) -> float:
        return _log_choose(n1, k) + _log_choose(n2, together - k) - whole

    def rise(k: int) -> float:
        return (n1 - k) * (together - k) / ((k + 1) * (n2 - together + k + 1))

    possible = range(max(0, together - n2), min(n1, together) + 1)
    return _upper_tail(k1, possible, n1 * together / (n1 + n2), log_chance, rise)


def _upper_tail(
    start: int, possible: range, mean: float, log_chance: Callable[[int], float], rise: Callable[[int], float]
) -> float:
    """Sum of the chances from `start` up; below the mean it is taken from the other side, where terms do not vanish.

    `rise(k)` is the chance of k + 1 over that of k.
    """
    if start <= possible[0]:
        return 1.0
    if start > possible[-1]:
        return 0.0
    if start > mean:
        return _summed(math.exp(log_chance(start)), (rise(k) for k in range(start, possible[-1])))
    return 1 - _summed(math.exp(log_chance(start - 1)), (1 / rise(k) for k in range(start - 2, possible[0] - 1, -1)))


def _summed(term: float, ratios: Iterable[float]) -> float:
    total = term
    for ratio in ratios:
        term *= ratio
        total += term
        if term < total * NEGLIGIBLE:
            break
    return min(1.0, total)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
