"""How errors fall with more labels: error = a·n^-b + c, fitted, and resampled for an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
EXPONENTS = np.geomspace(0.05, 2.0, 120)
RESAMPLES = 1000


@dataclass(frozen=True)
class PowerLaw:
    """A fitted curve."""

    a: float
    b: float
    c: float
    """The error that no number of labels removes."""

    def at(self, rows: float) -> float:
        """The error expected with so many rows."""
        return float(self.a * rows**-self.b + self.c)

    def gain(self, rows: int, more: int) -> float:
        """How far the error would fall with `more` rows on top."""
        return self.at(rows) - self.at(rows + more)


@dataclass(frozen=True)
class Gain:
    """What more labels would bring, with its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def hidden(self) -> bool:
        """Whether the interval spans zero, so that nothing can be said."""
        return self.low <= 0 <= self.high


def fit(sizes: Sequence[int], errors: Sequence[float]) -> PowerLaw:
    """The curve nearest to these errors; `c` is never negative, `a` may be (more labels can make it worse)."""
    a, b, c = _fit_all(np.asarray(sizes, float), np.asarray([errors], float))
    return PowerLaw(float(a[0]), float(b[0]), float(c[0]))


def next_gain(sizes: Sequence[int], by_row: Sequence[Sequence[float]], more: int, seed: int = 0) -> Gain:
    """What `more` labels beyond the biggest size would bring.

    `by_row` holds, for every size, the error of each held-out row, in the same order: rows are resampled together.
    """
    table, counts = np.asarray(by_row, float), np.asarray(sizes, float)
    source = np.random.default_rng(seed)
    drawn = source.integers(0, table.shape[1], size=(RESAMPLES, table.shape[1]))
    means = table[:, drawn].mean(axis=2).T
    gains = _gains(counts, means, more)
    low, high = np.percentile(gains, [2.5, 97.5])
    whole = fit(sizes, table.mean(axis=1).tolist()).gain(int(counts[-1]), more)
    return Gain(whole, float(low), float(high))


def _gains(sizes: Numbers, errors: Numbers, more: int) -> Numbers:
    a, b, _c = _fit_all(sizes, errors)
    last = sizes[-1]
    found: Numbers = a * (last**-b - (last + more) ** -b)
    return found


def _fit_all(sizes: Numbers, errors: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Least squares of every row of `errors` for every exponent at once; the best exponent is kept."""
    x = sizes[None, :] ** -EXPONENTS[:, None]
    x = x / x.max(axis=1, keepdims=True)
    a, c = _lines(x, errors)
    wrong = ((a[..., None] * x[None] + c[..., None] - errors[:, None, :]) ** 2).sum(axis=2)
    best = wrong.argmin(axis=1)
    rows, scale = np.arange(len(errors)), sizes.min() ** EXPONENTS[best]
    return a[rows, best] * scale, EXPONENTS[best], c[rows, best]


def _lines(x: Numbers, errors: Numbers) -> tuple[Numbers, Numbers]:
    """Slope and height of errors over x; where the height would be negative, the line through zero."""
    middle_x, middle = x.mean(axis=1), errors.mean(axis=1)
    spread = ((x - middle_x[:, None]) ** 2).sum(axis=1)
    shared = ((x - middle_x[:, None])[None] * (errors - middle[:, None])[:, None, :]).sum(axis=2)
    a = shared / np.maximum(spread, 1e-12)
    c = middle[:, None] - a * middle_x[None]
    through_zero = (x[None] * errors[:, None, :]).sum(axis=2) / (x**2).sum(axis=1)
    return np.where(c < 0, through_zero, a), np.maximum(c, 0.0)
