"""The summary of an evaluation: each model's metrics with intervals and n, and every pair compared."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from storage.tables import EvaluationOutput, Model
from studio.scoring import FIELD
from studio.scoring.statistics import compare, estimate, percentile

PAIRED = ("exact_match", "valid_json")
Answers = Sequence[EvaluationOutput]


def summarise(
    models: Sequence[Model], answers: dict[str, list[EvaluationOutput]], metrics: Sequence[str], seed: int
) -> dict[str, Any]:
    """{"models": {id: facts}, "comparisons": [...]}; a call that failed counts as a wrong answer."""
    compared = [
        _comparison(first, second, answers, metric, seed)
        for metric in PAIRED
        if metric in metrics
        for first, second in combinations(models, 2)
    ]
    return {
        "models": {model.id: _facts(model, answers[model.id], metrics, seed) for model in models},
        "comparisons": compared,
        "metrics": list(metrics),
    }


def values_of(rows: Answers, metric: str) -> list[float]:
    """One metric over the examples it applies to."""
    return [row.scores[metric] for row in rows if metric in row.scores]


def _facts(model: Model, rows: Answers, metrics: Sequence[str], seed: int) -> dict[str, Any]:
    found = {metric: estimate(values_of(rows, metric), seed).to_dict() for metric in metrics}
    fields = {name.removeprefix(FIELD): found.pop(name) for name in list(found) if name.startswith(FIELD)}
    failed = [row for row in rows if row.error]
    return {
        "name": model.name,
        "kind": model.kind,
        "n": len(rows),
        "errors": len(failed),
        "first_error": failed[0].error if failed else None,
        **found,
        "fields": fields,
        **_expense(model, rows),
    }


def _expense(model: Model, rows: Answers) -> dict[str, Any]:
    timed = [row.latency_ms for row in rows if row.latency_ms and not row.error]
    answered = [row for row in rows if not row.error]
    priced = model.kind == "provider"
    mean = sum(row.cost_usd for row in answered) / len(answered) if answered else 0.0
    return {
        "latency_ms": {"p50": percentile(timed, 50), "p95": percentile(timed, 95), "n": len(timed)},
        "cost_usd_per_1k": 1000 * mean,
        "cost_basis": ("prices" if mean else "no price set") if priced else "local",
        "tokens": {
            "prompt": sum(row.prompt_tokens for row in answered),
            "completion": sum(row.completion_tokens for row in answered),
        },
    }


def _comparison(
    first: Model, second: Model, answers: dict[str, list[EvaluationOutput]], metric: str, seed: int
) -> dict[str, Any]:
    """The better model is `a`, so that sentences read forwards."""
    left, right = (
        {row.example_id: row.scores[metric] for row in answers[model.id] if metric in row.scores}
        for model in (first, second)
    )
    shared = sorted(left.keys() & right.keys())
    one, other = [left[key] for key in shared], [right[key] for key in shared]
    if sum(other) > sum(one):
        first, second, one, other = second, first, other, one
    result = compare(one, other, seed)
    return {"a": first.id, "b": second.id, "metric": metric, **vars(result), "shown": result.shown}
