"""Numbers as people say them."""

from __future__ import annotations

from typing import Any

METRICS = {
    "exact_match": "wholly right answers",
    "valid_json": "answers in valid JSON",
    "field_accuracy": "right fields",
    "contains": "answers that contain what was wanted",
    "length": "length of an answer, as a share of the wanted one",
}


def share(value: float) -> str:
    """A share as per cent, with a decimal only where it is needed."""
    percent = 100 * value
    return f"{percent:.0f} %" if percent in (0, 100) or 1 <= percent <= 99 else f"{percent:.1f} %"


def number(value: float) -> str:
    """A number short enough to read."""
    return f"{value:.3g}"


def between(measured: dict[str, float]) -> str:
    """A measured share with its interval and number of rows."""
    return f"{share(measured['mean'])} (95 % interval {share(measured['low'])} to {share(measured['high'])})"


def metric(name: str) -> str:
    """What a metric counts."""
    return METRICS.get(name, name.replace("_", " "))


def difference(found: dict[str, Any]) -> str:
    """A difference between two shares in points, with its interval."""
    low, high = (f"{100 * found[each]:+.0f}" for each in ("low", "high"))
    return f"{100 * found['difference']:+.0f} points (95 % interval {low} to {high})"
