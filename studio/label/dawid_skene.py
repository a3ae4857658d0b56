"""Observers' error rates without knowing the truth, by expectation maximisation.

Dawid, A. P., Skene, A. M. (1979). Maximum likelihood estimation of observer error-rates using the EM algorithm.
Applied Statistics 28 (1), 20-28.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROUNDS = 200
CLOSE = 1e-6
TINY = 1e-12


@dataclass(frozen=True)
class Estimate:
    """What the model makes of the answers. `confusion[p, k, l]`: chance that person p says l where k is true."""

    people: list[str]
    labels: list[Hashable]
    items: list[str]
    prior: Floats
    confusion: Floats
    posterior: Floats

    def accuracy(self, person: str) -> float:
        """Estimated share of this person's answers that are right, over items as frequent as in this task."""
        rates = np.diagonal(self.confusion[self.people.index(person)])
        return float(self.prior @ rates)

    def consensus(self) -> dict[str, Hashable]:
        """The most likely label of every item."""
        best = self.posterior.argmax(axis=1)
        return {item: self.labels[at] for item, at in zip(self.items, best, strict=True)}


def estimate(
    answers: Sequence[tuple[str, str, Hashable]], known: Mapping[str, Hashable] | None = None, smoothing: float = 0.5
) -> Estimate:
    """Fit the model to (item, person, label) answers; a person may answer an item more than once.

    `known` items keep their label throughout. `smoothing` answers are added per person and cell pair, spread evenly,
    so that one answer makes no certainty; 0 is the paper's model.
    """
    known = known or {}
    items, people = _distinct(each[0] for each in answers), _distinct(each[1] for each in answers)
    labels = sorted({each[2] for each in answers} | {known[item] for item in items if item in known}, key=str)
    counts = _counts(answers, items, people, labels)
    fixed = {at: labels.index(known[item]) for at, item in enumerate(items) if item in known}
    posterior = _held(counts.sum(axis=1) / counts.sum(axis=(1, 2))[:, None], fixed)
    for _round in range(ROUNDS):
        prior, confusion = _rates(counts, posterior, smoothing)
        before, posterior = posterior, _held(_truth(counts, prior, confusion), fixed)
        if np.abs(posterior - before).max() < CLOSE:
            break
    return Estimate(people, labels, items, prior, confusion, posterior)


def _counts(
    answers: Sequence[tuple[str, str, Hashable]], items: list[str], people: list[str], labels: list[Hashable]
) -> Floats:
    """How often each person gave each label to each item."""
    at = [{key: place for place, key in enumerate(keys)} for keys in (items, people, labels)]
    counts = np.zeros((len(items), len(people), len(labels)))
    for item, person, label in answers:
        counts[at[0][item], at[1][person], at[2][label]] += 1
    return counts


def _rates(counts: Floats, posterior: Floats, smoothing: float) -> tuple[Floats, Floats]:
    """The M step: error rates and class frequencies, as if the posterior were the truth."""
    said = np.tensordot(counts, posterior, axes=(0, 0)).transpose(0, 2, 1) + smoothing / counts.shape[2]
    totals = said.sum(axis=2, keepdims=True)
    return posterior.mean(axis=0), said / np.maximum(totals, TINY)


def _truth(counts: Floats, prior: Floats, confusion: Floats) -> Floats:
    """The E step: how likely each label is for each item, given everybody's answers."""
    rates = np.log(np.maximum(confusion, TINY))
    logs = np.tensordot(counts, rates, axes=((1, 2), (0, 2))) + np.log(np.maximum(prior, TINY))
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _held(posterior: Floats, fixed: Mapping[int, int]) -> Floats:
    for item, label in fixed.items():
        posterior[item] = np.eye(posterior.shape[1])[label]
    return posterior


def _distinct(keys: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(keys))
