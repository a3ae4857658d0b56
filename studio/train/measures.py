"""What a model's answers score against the expected ones, with the interval the number of rows allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.scoring import DEFAULT, FIELD, Scorer, scorer, scores
from studio.scoring.proportions import wilson
from studio.scoring.statistics import compare, estimate

Measured = dict[str, dict[str, float]]
EXACT = "exact"
"""Task name for "wholly right"; for SFT the evaluation's own forward pass tells it without generating."""


def scorers_of(task: dict[str, Any]) -> list[Scorer]:
    """The scorers of a task: the one it names, or the usual three when wholly right answers are wanted."""
    named = {key: value for key, value in task.items() if value is not None}
    return [scorer(spec) for spec in (DEFAULT if named.get("name", EXACT) == EXACT else [named])]


def measure(scorers: Sequence[Scorer], answers: Sequence[str], expected: Sequence[str]) -> Measured:
    """Mean, 95 % interval and number of rows per metric, the first scorer's first; single JSON fields are left out."""
    values: dict[str, list[float]] = {}
    for answer, wanted in zip(answers, expected, strict=True):
        for name, value in scores(scorers, answer, wanted).items():
            if not name.startswith(FIELD):
                values.setdefault(name, []).append(value)
    return {name: interval(each) for name, each in values.items()}


def values_of(scorers: Sequence[Scorer], answers: Sequence[str], expected: Sequence[str], metric: str) -> list[float]:
    """One metric row by row; 0 where it does not apply, so that two models' lists pair up."""
    pairs = zip(answers, expected, strict=True)
    return [scores(scorers, answer, wanted).get(metric, 0.0) for answer, wanted in pairs]


def paired(after: Sequence[float], before: Sequence[float]) -> dict[str, Any]:
    """How much better, row by row, with the interval, and whether the rows show it at all."""
    found = compare(after, before)
    facts = {"difference": found.difference, "low": found.low, "high": found.high, "p_value": found.p_value}
    return facts | {"wins": found.wins, "losses": found.losses, "n": found.n, "shown": found.shown}


def interval(values: Sequence[float]) -> dict[str, float]:
    """The mean with its interval: Wilson's for right-or-wrong values, a bootstrap's for others."""
    n = len(values)
    if n and set(values) <= {0.0, 1.0}:
        right = round(sum(values))
        low, high = wilson(right, n)
        return {"mean": right / n, "low": low, "high": high, "n": n}
    return dict(estimate(values).to_dict())


def first_metric(measured: Measured) -> str:
    """The metric that stands for all of them: the task's own."""
    return next(iter(measured), "")
