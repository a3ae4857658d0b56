"""Agreement coefficients from their papers, with bootstrap intervals. Rows are items, columns people, None unanswered.

Cohen, J. (1960). A coefficient of agreement for nominal scales. Educational and Psychological Measurement 20, 37-46.
Krippendorff, K. (2011). Computing Krippendorff's alpha-reliability. University of Pennsylvania.
Hayes, A. F., Krippendorff, K. (2007). Answering the call for a standard reliability measure for coding data.

Distances between sets, spans and rankings, with their papers, are in `distances`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
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
    pairs = Counter((row[0], row[1]) for row in rows if row[0] is not None and row[1] is not None)
    if not pairs:
        return Measured(None, None, None)
    index = _index(value for pair in pairs for value in pair)
    first, second = (np.array([index[pair[person]] for pair in pairs]) for person in (0, 1))
    equal = (first == second).astype(np.float64)

    def kappa(weights: Floats) -> float:
        n = weights.sum()
        ours, theirs = (np.bincount(each, weights, len(index)) for each in (first, second))
        expected = ours @ theirs / n**2
        return _ratio(weights @ equal / n - expected, 1 - expected)

    return _measured(kappa, list(pairs.values()), replicates, seed)


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
    place = {value: at for at, value in enumerate(values)}
    kinds = Counter(tuple(sorted(place[value] for value in unit)) for unit in units)
    return _measured(_alpha(_Answers.of(kinds, len(values)), values, scale), list(kinds.values()), replicates, seed)


def mean_tau(rows: Sequence[Row], replicates: int = REPLICATES, seed: int = 0) -> Measured:
    """Kendall's tau-b of two people's rankings of an item, averaged over pairs of people, then over items."""
    found = [_pairs_tau(answers) for answers in map(_answered, rows)]
    kinds = Counter(tau for tau in found if tau is not None)
    taus = np.array(list(kinds))

    def mean(weights: Floats) -> float:
        return float(weights @ taus / weights.sum())

    return _measured(mean, list(kinds.values()), replicates, seed) if kinds else Measured(None, None, None)


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


@dataclass(frozen=True)
class _Answers:
    """Every answer by its kind of unit and its value, and the units' sizes; no table, which would be huge for texts."""

    unit: NDArray[np.intp]
    value: NDArray[np.intp]
    sizes: Floats
    distinct: int

    @classmethod
    def of(cls, units: Iterable[Sequence[int]], distinct: int) -> _Answers:
        """From each unit's answers, as places of their values."""
        placed = list(units)
        unit = np.array([at for at, answers in enumerate(placed) for _answer in answers])
        value = np.array([answer for answers in placed for answer in answers])
        return cls(unit, value, np.array([float(len(answers)) for answers in placed]), distinct)

    def totals(self, weights: Floats) -> Floats:
        """How often each value was given in the sample."""
        return np.bincount(self.value, weights[self.unit], self.distinct).astype(np.float64)

    def table(self) -> Floats:
        """How often each unit (row) got each value (column); only for few values."""
        shape = len(self.sizes), self.distinct
        flat = np.bincount(self.unit * self.distinct + self.value, minlength=shape[0] * shape[1])
        return flat.reshape(shape).astype(np.float64)

    def disagreement(self, table: Floats, distance: Floats) -> Floats:
        """Per unit: the distances of its pairs of answers, over its size less one."""
        return np.asarray(((table @ distance) * table).sum(axis=1) / (self.sizes - 1))

    def differing(self) -> Floats:
        """`disagreement` where any two values are equally far apart."""
        _pairs, at, often = np.unique(self.unit * self.distinct + self.value, return_index=True, return_counts=True)
        same = np.bincount(self.unit[at], often.astype(np.float64) ** 2, len(self.sizes))
        return np.asarray((self.sizes**2 - same) / (self.sizes - 1))


def _alpha(answers: _Answers, values: Sequence[Any], scale: Scale) -> Callable[[Floats], float]:
    """Alpha of a sample, of weights which say how often each unit is in it."""
    if scale == "ordinal":
        return _ordinal_alpha(answers)
    if scale == "nominal":
        differing = answers.differing()
        return lambda weights: _ratio_alpha(answers, weights, differing, lambda all_: all_.sum() ** 2 - all_ @ all_)
    distance = _distances(values, scale)
    apart = answers.disagreement(answers.table(), distance)
    return lambda weights: _ratio_alpha(answers, weights, apart, lambda all_: all_ @ distance @ all_)


def _ordinal_alpha(answers: _Answers) -> Callable[[Floats], float]:
    """The distance of two values depends on how many answers of the sample lie between them."""
    table = answers.table()

    def alpha(weights: Floats) -> float:
        distance = _by_rank(answers.totals(weights))
        apart = answers.disagreement(table, distance)
        return _ratio_alpha(answers, weights, apart, lambda all_: all_ @ distance @ all_)

    return alpha


def _ratio_alpha(answers: _Answers, weights: Floats, observed: Floats, expected: Callable[[Floats], Any]) -> float:
    totals = answers.totals(weights)
    return 1 - _ratio(float(weights @ observed), float(expected(totals)) / (totals.sum() - 1))


def _distances(values: Sequence[Any], scale: Scale) -> Floats:
    if scale == "interval":
        numbers = np.array([float(value) for value in values])
        return np.asarray((numbers[:, None] - numbers[None, :]) ** 2)
    found = np.zeros((len(values), len(values)))
    for (i, one), (j, other) in combinations(enumerate(values), 2):
        found[i, j] = found[j, i] = DISTANCES[scale](one, other)
    return found


def _by_rank(totals: Floats) -> Floats:
    """Squared ordinal distances: the values between two, half of each end."""
    ranks = np.cumsum(totals) - totals / 2
    return np.asarray((ranks[:, None] - ranks[None, :]) ** 2)


def _measured(measure: Callable[[Floats], float], counts: Sequence[int], replicates: int, seed: int) -> Measured:
    """`counts` says how many units are of each kind; units with the same answers are of one kind and drawn together."""
    kinds = np.array(counts, dtype=np.float64)
    value = float(measure(kinds))
    if np.isnan(value):
        return Measured(None, None, None)
    sample = np.array([measure(weights) for weights in _samples(kinds, _affordable(replicates, len(kinds)), seed)])
    known = sample[~np.isnan(sample)]
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (value, value)
    return Measured(value, float(low), float(high))


def _samples(kinds: Floats, replicates: int, seed: int) -> Iterator[Floats]:
    """As many units as there are, drawn with replacement, as counts by kind."""
    draw, n = np.random.default_rng(seed), int(kinds.sum())
    kind_of = np.repeat(np.arange(len(kinds)), kinds.astype(int))
    for _replicate in range(replicates):
        if 10 * len(kinds) < n:
            yield draw.multinomial(n, kinds / n).astype(np.float64)
        else:
            yield np.bincount(kind_of[draw.integers(0, n, n)], minlength=len(kinds)).astype(np.float64)


def _affordable(replicates: int, kinds: int) -> int:
    """Fewer samples where thousands of texts differ from each other; never fewer than 200 of the 1,000."""
    return min(replicates, max(200, 2_000_000 // kinds))


def _ratio(above: float, below: float) -> float:
    return above / below if below > 1e-12 else float("nan")


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
