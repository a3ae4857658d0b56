"""How the run is watched: what counts as right, when to stop early, what is shown and where it is mirrored."""

from __future__ import annotations

from collections.abc import Iterator

from studio.train.methods import Method
from studio.train.plan import Choice

PATIENCE = {"quick": 2, "balanced": 4, "best": 6}


def choices(preset: str, method: Method) -> Iterator[Choice]:
    """Task metric, patience, samples and mirror."""
    exact = "The share of held-out rows that a plain answer gets wholly right; the best checkpoint is chosen by it."
    if method.need.what in ("rows", "prompts"):
        yield Choice("task", "What counts as right", {"name": "exact"}, exact, "studio")
    wait = PATIENCE[preset]
    reason = f"Stops when {wait} checks in a row bring nothing better, and keeps the best."
    yield Choice("patience", "Patience", wait, reason, "studio")
    yield Choice("samples", "Answers shown per check", 5, "Numbers can look well while the text collapses.", "studio")
    private = "Curves stay in the studio. A mirror is yours to name, and never public by itself."
    yield Choice("report_to", "Mirror", "none", private, "studio")
