"""What the next labels are worth, in words and numbers for the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.scoring.statistics import estimate
from studio.train.rehearse.power_law import Gain, fit, next_gain

MORE = 100
INFORMATIVE = (0.01, 0.99)
"""A share of wrong rows outside of this says nothing about how it falls; the loss does."""
METRICS = {"exact": "rows answered wholly right", "loss": "loss per token on held-out rows"}
CURVE_POINTS = 24


def worth(sizes: Sequence[int], scored: Sequence[Sequence[dict[str, float]]]) -> dict[str, Any]:
    """The result of a label rehearsal. `scored` holds, for every size, `exact` and `loss` of each held-out row."""
    wrong = [[1.0 - row["exact"] for row in rows] for rows in scored]
    losses = [[row["loss"] for row in rows] for rows in scored]
    low, high = INFORMATIVE
    metric = "exact" if any(low < sum(rows) / len(rows) < high for rows in wrong) else "loss"
    return {"more": MORE, "held_out": len(scored[0])} | _told(metric, sizes, wrong if metric == "exact" else losses)


def _told(metric: str, sizes: Sequence[int], by_row: Sequence[Sequence[float]]) -> dict[str, Any]:
    gain = next_gain(sizes, by_row, MORE)
    law = fit(sizes, [sum(rows) / len(rows) for rows in by_row])
    furthest = sizes[-1] + MORE
    places = [round(sizes[0] + (furthest - sizes[0]) * step / CURVE_POINTS) for step in range(CURVE_POINTS + 1)]
    return {
        "metric": metric,
        "label": METRICS[metric],
        "points": [_point(size, rows) for size, rows in zip(sizes, by_row, strict=True)],
        "law": {"a": law.a, "b": law.b, "c": law.c},
        "curve": [[place, law.at(place)] for place in places],
        "gain": {"mean": gain.mean, "low": gain.low, "high": gain.high},
        "hidden": gain.hidden,
        "sentence": sentence(metric, gain, len(by_row[0])),
    }


def sentence(metric: str, gain: Gain, held_out: int) -> str:
    """What to expect of the next labels; or that it cannot be told, and why."""
    if gain.hidden:
        return (
            f"It cannot be told yet what the next {MORE} labels would bring: measured on {held_out} held-out rows, "
            "it may be nothing."
        )
    if gain.mean < 0:
        return "With more of the rows it did worse: look at the newest labels before making more."
    if metric == "loss":
        return (
            f"The next {MORE} labels would lower the loss by about {gain.mean:.3f} ({gain.low:.3f} to {gain.high:.3f})."
        )
    mean, low, high = (100 * value for value in (gain.mean, gain.low, gain.high))
    return f"The next {MORE} labels would turn about {mean:.1f} rows in a hundred right ({low:.1f} to {high:.1f})."


def _point(size: int, rows: Sequence[float]) -> dict[str, Any]:
    found = estimate(rows)
    return {"rows": size, "error": found.mean, "low": found.low, "high": found.high}
