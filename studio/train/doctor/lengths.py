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
    if _no_answer_is_reached(case, limit):
        text = f"Every prompt alone fills the {limit} tokens that a row may have, so no answer would be learned."
        yield _told("error", text, case, limit)
        return
    text = f"About {over / len(counts):.0%} of the rows are longer than {limit} tokens and would be cut."
    yield _told("warning", text, case, limit)


def _no_answer_is_reached(case: Case, limit: int) -> bool:
    """Whether every counted row is cut before its answer begins; guessed lengths are not certain enough."""
    lengths, answers = case.plan.situation.lengths, case.plan.situation.answers
    if case.plan.method == "grpo" or not lengths.exact or answers is None or len(answers.counts) != len(lengths.counts):
        return False
    return all(row - answer >= limit for row, answer in zip(lengths.counts, answers.counts, strict=True))


def _told(severity: str, text: str, case: Case, limit: int) -> Finding:
    situation = case.plan.situation
    wanted = min(ceil(situation.lengths.longest / STEP) * STEP, situation.shape.context)
    if wanted > limit:
        fix = "Raise the longest row under Advanced, or shorten the prompts."
        return Finding(severity, text, fix, {"max_length": wanted})
    return Finding(severity, text, "Shorten the prompts, or choose a base that reads more.")
