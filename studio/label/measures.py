"""Agreement coefficients from their papers, with bootstrap intervals. Rows are items, columns people, None unanswered.

Cohen, J. (1960). A coefficient of agreement for nominal scales. Educational and Psychological Measurement 20, 37-46.
Krippendorff, K. (2011). Computing Krippendorff's alpha-reliability. University of Pennsylvania.
Hayes, A. F., Krippendorff, K. (2007). Answering the call for a standard reliability measure for coding data.

Distances between sets, spans and rankings, with their papers, are in `distances`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.label.distances import masi, span_distance, tau_b
from studio.label.templates.base import Scale

Row = Sequence[Hashable | None]
Floats = NDArray[np.float64]
REPLICATES = 1000
MOST_VALUES = 500
"""Different answers that are compared each with each; with more, a sample of the items measures."""


@dataclass(frozen=True)
class Measured:
    """A coefficient with its 95 % bootstrap interval; None where it is not defined (nobody ever differed)."""

    value: float | None
    low: float | None
    high: float | None


def percent_agreement(rows: Sequence[Row]) -> float | None:
    """Share of equal pairs of answers, averaged over items with at least two answers; 0..100."""
    shares = [_equal_pairs(answers) for answers in map(_answered, rows) if len(answers) > 1]
    return 100 * float(np.mean(shares)) if shares else None


def cohen_kappa(rows: Sequence[Row], replicates: int = REPLICATES, seed: int = 0) -> Measured:
    """Cohen's kappa of two people over the items both answered: (p_o - p_e) / (1 - p_e)."""
    pairs = [(row[0], row[1]) for row in rows if row[0] is not None and row[1] is not None]
    if not pairs:
        return Measured(None, None, None)
    index = _index(value for pair in pairs for value in pair)
    first = np.eye(len(index))[[index[pair[0]] for pair in pairs]]
    second = np.eye(len(index))[[index[pair[1]] for pair in pairs]]
    equal = np.array([float(pair[0] == pair[1]) for pair in pairs])

    def kappa(weights: Floats) -> Floats:
        n = weights.sum(axis=1)
        observed = weights @ equal / n
        expected = ((weights @ first) * (weights @ second)).sum(axis=1) / n**2
        return _ratio(observed - expected, 1 - expected)

    return _measured(kappa, len(pairs), replicates, seed)


def krippendorff_alpha(rows: Sequence[Row], scale: Scale, replicates: int = REPLICATES, seed: int = 0) -> Measured:
    """Krippendorff's alpha: 1 - D_o / D_e; any number of people, answers may be missing.

    Sets of labels differ by MASI, spans by 1 - F1 over marked characters. The interval resamples items.
    """
    units = [answers for answers in map(_answered, rows) if len(answers) > 1]
    if scale in DISTANCES:
        units = _few_values(units, seed)
    if not units:
        return Measured(None, None, None)
    values = sorted(_index(value for unit in units for value in unit), key=_order)
    counts = _counts(units, values)
    return _measured(_alpha(counts, values, scale), len(units), replicates, seed)


def mean_tau(rows: Sequence[Row], replicates: int = REPLICATES, seed: int = 0) -> Measured:
    """Kendall's tau-b of two people's rankings of an item, averaged over pairs of people, then over items."""
    found = [_pairs_tau(answers) for answers in map(_answered, rows)]
    known = np.array([tau for tau in found if tau is not None])

    def mean(weights: Floats) -> Floats:
        return np.asarray(weights @ known / weights.sum(axis=1))

    return _measured(mean, len(known), replicates, seed) if len(known) else Measured(None, None, None)


def _pairs_tau(rankings: Sequence[Any]) -> float | None:
    taus = [tau for one, other in combinations(rankings, 2) if (tau := tau_b(one, other)) is not None]
    return sum(taus) / len(taus) if taus else None


DISTANCES: dict[str, Callable[[Any, Any], float]] = {"masi": masi, "spans": span_distance}


def _few_values(units: list[list[Hashable]], seed: int) -> list[list[Hashable]]:
    """As many of the units, by chance, as have no more than MOST_VALUES different answers."""
    if len(_index(value for unit in units for value in unit)) <= MOST_VALUES:
        return units
    kept: list[list[Hashable]] = []
    seen: set[Hashable] = set()
    for at in np.random.default_rng(seed).permutation(len(units)):
        seen |= set(units[at])
        if len(seen) > MOST_VALUES:
            break
        kept.append(units[at])
    return kept


def _alpha(counts: Floats, values: Sequence[Any], scale: Scale) -> Callable[[Floats], Floats]:
    """Alpha per row of weights, which say how often each unit is in the sample."""
    if scale == "nominal":
        return lambda weights: _nominal_alpha(counts, weights)
    if scale == "ordinal":
        return lambda weights: np.array(
            [_distance_alpha(counts, weight[None], _by_rank(weight @ counts))[0] for weight in weights]
        )
    distance = _distances(values, scale)
    return lambda weights: _distance_alpha(counts, weights, distance)


def _distances(values: Sequence[Any], scale: Scale) -> Floats:
    if scale == "interval":
        numbers = np.array([float(value) for value in values])
        return np.asarray((numbers[:, None] - numbers[None, :]) ** 2)
    found = np.zeros((len(values), len(values)))
    for (i, one), (j, other) in combinations(enumerate(values), 2):
        found[i, j] = found[j, i] = DISTANCES[scale](one, other)
    return found


def _counts(units: Sequence[Sequence[Hashable]], values: Sequence[Hashable]) -> Floats:
    """How often each unit (row) got each value (column)."""
    index = {value: at for at, value in enumerate(values)}
    counts = np.zeros((len(units), len(values)))
    for at, unit in enumerate(units):
        for value in unit:
            counts[at, index[value]] += 1
    return counts


def _nominal_alpha(counts: Floats, weights: Floats) -> Floats:
    """Alpha per row of `weights`, which say how often each unit is in the sample."""
    sizes = counts.sum(axis=1)
    different = (sizes**2 - (counts**2).sum(axis=1)) / (sizes - 1)
    n = weights @ sizes
    expected = (n**2 - ((weights @ counts) ** 2).sum(axis=1)) / (n - 1)
    return 1 - _ratio(weights @ different, expected)


def _distance_alpha(counts: Floats, weights: Floats, distance: Floats) -> Floats:
    """Alpha per row of `weights` where values lie near or far from each other."""
    totals = weights @ counts
    observed = weights @ (((counts @ distance) * counts).sum(axis=1) / (counts.sum(axis=1) - 1))
    expected = ((totals @ distance) * totals).sum(axis=1) / (totals.sum(axis=1) - 1)
    return 1 - _ratio(observed, expected)


def _by_rank(totals: Floats) -> Floats:
    """Squared ordinal distances: the values between two, half of each end."""
    ranks = np.cumsum(totals) - totals / 2
    return np.asarray((ranks[:, None] - ranks[None, :]) ** 2)


def _measured(measure: Any, n: int, replicates: int, seed: int) -> Measured:
    value = float(measure(np.ones((1, n)))[0])
    if np.isnan(value):
        return Measured(None, None, None)
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=replicates).astype(np.float64)
    sample = measure(draws)
    known = sample[~np.isnan(sample)]
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (value, value)
    return Measured(value, float(low), float(high))


def _ratio(above: Floats, below: Floats) -> Floats:
    sound = below > 1e-12
    return np.where(sound, above / np.where(sound, below, 1.0), np.nan)


def _answered(row: Row) -> list[Hashable]:
    return [value for value in row if value is not None]


def _equal_pairs(answers: Sequence[Hashable]) -> float:
    n = len(answers)
    equal = sum(answers[i] == answers[j] for i in range(n) for j in range(i + 1, n))
    return equal / (n * (n - 1) / 2)


def _index(values: Any) -> dict[Hashable, int]:
    return {value: at for at, value in enumerate(dict.fromkeys(values))}


def _order(value: Hashable) -> tuple[int, Any]:
    if isinstance(value, int | float):
        return 0, value
    return 1, str(sorted(value, key=str) if isinstance(value, frozenset) else value)
