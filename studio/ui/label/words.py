"""Figures of labeling in words: what a coefficient means, when a task is due, how long people take."""

from __future__ import annotations

from datetime import datetime

from storage.types import now
from studio.ui.formats import span

WORST, BEST = "poor", "almost perfect"
BANDS = ((0.2, "slight"), (0.4, "fair"), (0.6, "moderate"), (0.8, "substantial"))
BANDS_HELP = (
    "Agreement beyond chance, after Landis and Koch (1977): below 0 poor, to 0.20 slight, to 0.40 fair, to 0.60 "
    "moderate, to 0.80 substantial, above almost perfect. Where the interval spans several words, the data cannot tell "
    "them apart yet: more answers narrow it."
)


def in_words(value: float) -> str:
    """What a coefficient of agreement means, after Landis and Koch (1977)."""
    if value < 0:
        return WORST
    return next((word for end, word in BANDS if round(value, 2) <= end), BEST)


def interval_in_words(value: float | None, low: float | None, high: float | None) -> str:
    """One word where the interval stays inside it, else the words it spans."""
    if value is None or low is None or high is None:
        return "chance cannot be told apart"
    worst, best = in_words(low), in_words(high)
    return in_words(value) if worst == best else f"{in_words(value)} ({worst} to {best})"


def due(deadline: datetime | None) -> str:
    """How long there is, or how long it is overdue; empty without a deadline."""
    if deadline is None:
        return ""
    seconds = (deadline - now()).total_seconds()
    return f"due in {span(seconds)}" if seconds > 0 else f"overdue by {span(-seconds)}"


def is_overdue(deadline: datetime | None) -> bool:
    """Whether the deadline has passed."""
    return deadline is not None and deadline < now()


def counted(number: int, noun: str) -> str:
    """1 answer, 2 answers; 1 person, 2 people."""
    many = "people" if noun == "person" else f"{noun}s"
    return f"{number:,} {noun if number == 1 else many}"
