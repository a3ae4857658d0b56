"""What a comparison means, in one plain sentence that claims no more than the data show."""

from __future__ import annotations

from typing import Any

METRIC_NAMES = {"exact_match": "exact match", "valid_json": "valid JSON"}


def verdict(comparison: dict[str, Any], names: dict[str, str]) -> str:
    """What one comparison shows: who beats whom, by how much and how surely; or that nothing can be shown."""
    first, second, n = names[comparison["a"]], names[comparison["b"]], comparison["n"]
    metric = METRIC_NAMES.get(comparison["metric"], comparison["metric"])
    if not n:
        return f"{first} and {second} have no examples in common to compare on {metric}."
    interval = f"95 % interval {_points(comparison['low'])} to {_points(comparison['high'])}"
    p = p_value(comparison["p_value"])
    if comparison["shown"]:
        gap = _points(comparison["difference"])
        unit = "point" if gap == "1" else "points"
        return f"{first} beats {second} by {gap} {unit} on {metric} ({interval}, n={n}, {p})."
    return f"No difference between {first} and {second} on {metric} can be shown with n={n} ({interval} points, {p})."


def find_comparison(
    summary: dict[str, Any], first: str, second: str, metric: str = "exact_match"
) -> dict[str, Any] | None:
    """The comparison of two models on a metric, whichever way round it was stored."""
    for row in summary.get("comparisons", []):
        if {row["a"], row["b"]} == {first, second} and row["metric"] == metric:
            found: dict[str, Any] = row
            return found
    return None


def verdicts(summary: dict[str, Any], metric: str = "exact_match") -> list[str]:
    """A sentence for each pair of models: those that could serve first, the base model's last."""
    models = summary.get("models", {})
    names = {key: facts["name"] for key, facts in models.items()}
    rows = [row for row in summary.get("comparisons", []) if row["metric"] == metric]

    def order(row: dict[str, Any]) -> tuple[bool, float]:
        return any(models[row[side]].get("kind") == "base" for side in ("a", "b")), -abs(row["difference"])

    return [verdict(row, names) for row in sorted(rows, key=order)]


def p_value(value: float) -> str:
    """p=0.002, or p<0.001."""
    return "p<0.001" if value < 0.001 else f"p={value:.2g}"


def _points(share: float) -> str:
    rounded = round(100 * share)
    return f"{rounded}".replace("-", "−") if rounded else "0"
