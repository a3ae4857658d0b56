"""Rows that are longer than the run reads."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from studio.train.doctor.finding import Case, Finding

STEP = 64


def cut_rows(case: Case) -> Iterator[Finding]:
    """A cut row loses its answer first, or its question."""
    situation, limit = case.plan.situation, case.plan.value("max_length")
    counts = situation.lengths.counts
    over = sum(count > limit for count in counts)
    if not over:
        return
    text = f"About {over / len(counts):.0%} of the rows are longer than {limit} tokens and would be cut."
    wanted = min(ceil(situation.lengths.longest / STEP) * STEP, situation.shape.context)
    if wanted > limit:
        fix = "Raise the longest row under Advanced, or shorten the prompts."
        yield Finding("warning", text, fix, {"max_length": wanted})
    else:
        yield Finding("warning", text, "Shorten the prompts, or choose a base that reads more.")
