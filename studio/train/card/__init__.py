"""The card of a finished run: what it means, in plain words, and no more than the numbers show."""

from __future__ import annotations

from typing import Any

from storage.tables import TrainingRun
from studio.train.card import answers, learning, memory, steps
from studio.train.estimate.reality import check
from studio.train.failures import symptoms

__all__ = ["make_card"]


def make_card(run: TrainingRun, summary: dict[str, Any], events: list[dict[str, Any]]) -> dict[str, Any]:
    """What was learned, where it fails, whether it is overfit, whether it forgot, and what to do next."""
    learned = [*learning.golden(summary), *learning.target(summary), *learning.held_out(summary, events)]
    warnings = symptoms(events, run.plan, summary.get("target"))
    fails = answers.wrong(events, summary)
    overfit, forgot = learning.overfit(summary, events, warnings), memory.forgot(summary, run.plan)
    return {
        "sentence": learned[0]
        if learned
        else "The run is done; nothing was held out, so nothing shows what it taught.",
        "learned": learned[1:],
        "fails": fails,
        "overfit": overfit,
        "forgot": forgot,
        "warnings": warnings,
        "next": steps.following(run, summary, fails, forgot, warnings),
        "estimates": check(run.plan, summary),
    }
