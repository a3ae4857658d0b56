"""How far a task's people agree, question by question."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from storage.tables import Annotation
from studio.label.backend import Question
from studio.label.measures import Measured, Row, cohen_kappa, krippendorff_alpha, mean_tau, percent_agreement
from studio.label.resolve import same_answer
from studio.label.templates import Scale, scales_of
from studio.label.templates.spans import spans_in

NAMES = {"masi": "sets of labels, MASI", "spans": "spans, 1 - F1 of characters"}


@dataclass(frozen=True)
class Agreement:
    """Agreement on one question over the `n` items with at least two answers.

    `kappa` is the coefficient that `measure` names: Cohen's kappa for two people and single labels, Kendall's tau-b for
    rankings, else Krippendorff's alpha. It is None where everybody always gave the same answer: chance cannot be told
    from agreement then.
    """

    question: str
    percent: float
    kappa: float | None
    low: float | None
    high: float | None
    n: int
    measure: str

    def __str__(self) -> str:
        """One line for the terminal."""
        said = f"{self.question}: {self.percent:.0f} % equal"
        if self.kappa is None or self.low is None or self.high is None:
            return f"{said} (n = {self.n})"
        return (
            f"{said}, {self.measure} {self.kappa:.2f} (95 % interval {self.low:.2f} to {self.high:.2f}, n = {self.n})"
        )


def agreement_of(annotations: Sequence[Annotation], questions: Sequence[Question]) -> list[Agreement]:
    """Agreement per question, over submitted answers."""
    people = sorted({each.annotator for each in annotations})
    found = [_on_question(annotations, people, name, scale) for name, scale in scales_of(questions).items()]
    return [each for each in found if each]


def _on_question(annotations: Sequence[Annotation], people: list[str], name: str, scale: Scale) -> Agreement | None:
    rows = _table(annotations, people, name, scale)
    n = sum(sum(value is not None for value in row) > 1 for row in rows)
    percent = percent_agreement(rows)
    if percent is None:
        return None
    measure, measured = _coefficient(rows, len(people), scale)
    return Agreement(name, percent, measured.value, measured.low, measured.high, n, measure)


def _coefficient(rows: Sequence[Row], people: int, scale: Scale) -> tuple[str, Measured]:
    if scale == "ranking":
        return "Kendall's τ_b", mean_tau(rows)
    if scale == "nominal" and people == 2:
        return "Cohen's κ", cohen_kappa(rows)
    return f"Krippendorff's α ({NAMES.get(scale, scale)})", krippendorff_alpha(rows, scale)


def _table(annotations: Sequence[Annotation], people: list[str], name: str, scale: Scale) -> list[Row]:
    column = {person: at for at, person in enumerate(people)}
    rows: dict[str, list[Hashable | None]] = {}
    for each in annotations:
        row = rows.setdefault(each.item_id, [None] * len(people))
        row[column[each.annotator]] = _comparable(each.answers.get(name), scale)
    return list(rows.values())


def _comparable(value: Any, scale: Scale) -> Hashable | None:
    """The answer as what can be compared; None where it was left unanswered."""
    if scale == "spans":  # nothing marked is an answer too
        return spans_in(value)
    if value is None:
        return None
    if scale == "masi":
        return frozenset(value)
    if scale == "ranking":
        places = {rank: at for at, rank in enumerate(sorted({int(each["rank"]) for each in value}))}
        return tuple(sorted((str(each["value"]), places[int(each["rank"])]) for each in value))
    return same_answer(str(value)) if scale == "nominal" else float(value)
