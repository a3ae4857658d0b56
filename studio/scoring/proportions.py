"""The interval of a share, as of gold questions answered rightly or thumbs that point up."""

from __future__ import annotations

import math

Z = 1.959963984540054
"""Standard normal quantile of a 95 % interval."""


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
    if successes <= 0:
        return 1.0
    logs = (_log_choose(n, k) + k * math.log(share) + (n - k) * math.log1p(-share) for k in range(successes, n + 1))
    return min(1.0, math.fsum(math.exp(log) for log in logs))


def fisher_upper_tail(k1: int, n1: int, k2: int, n2: int) -> float:
    """Chance of at least k1 of the successes falling on the first sample, if both have the same share (one-sided).

    Fisher, R. A. (1922). On the interpretation of chi-squared from contingency tables, and the calculation of P.
    JRSS 85, 87-94. Exact also where counts are few, as errors are.
    """
    together = k1 + k2
    if k1 <= 0:
        return 1.0
    whole = _log_choose(n1 + n2, together)
    tail = range(k1, min(n1, together) + 1)
    return min(1.0, math.fsum(math.exp(_log_choose(n1, k) + _log_choose(n2, together - k) - whole) for k in tail))


def _log_choose(n: int, k: int) -> float:
    if not 0 <= k <= n:
        return -math.inf
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
