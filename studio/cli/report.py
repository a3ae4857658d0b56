"""The comparison table in the terminal: each model's figures with 95 % intervals and n."""

from __future__ import annotations

from typing import Any


def comparison_table(summary: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows: one row per model, the best exact match first."""
    models = sorted(summary["models"].values(), key=lambda facts: -facts["exact_match"]["mean"])
    fields = list(models[0]["fields"]) if models else []
    columns = ["model", "n", "exact match", "valid JSON", *fields, "p50 ms", "$ per 1k calls"]
    return columns, [_row(facts, fields) for facts in models]


def _row(facts: dict[str, Any], fields: list[str]) -> list[str]:
    latency = facts["latency_ms"]["p50"]
    cost = f"{facts['cost_usd_per_1k']:.3f}" if facts["cost_basis"] == "prices" else facts["cost_basis"]
    return [
        facts["name"],
        str(facts["n"]),
        _share(facts["exact_match"]),
        _share(facts["valid_json"]),
        *(f"{100 * facts['fields'][name]['mean']:.0f} %" if name in facts["fields"] else "–" for name in fields),
        f"{latency:.0f}" if latency is not None else "–",
        cost,
    ]


def _share(estimate: dict[str, Any]) -> str:
    return f"{100 * estimate['mean']:.0f} % ({100 * estimate['low']:.0f}–{100 * estimate['high']:.0f})"
