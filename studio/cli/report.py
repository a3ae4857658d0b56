"""What a job came to, in the terminal: a line of facts, an import's bad lines, the comparison of models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.evaluate.ceiling import NAME, WHOLE, Ceiling
from studio.label.quality import PersonQuality
from studio.scoring import FIELD

SHOWN_LINES = 20


def outcome(result: dict[str, Any]) -> str:
    """A job's result as one line; identifiers, paths and nested facts stay in the studio."""
    shown = {name: value for name, value in result.items() if not name.endswith(("_id", "_file", "digest"))}
    facts = (f"{name.replace('_', ' ')} {_fact(value)}" for name, value in shown.items() if _is_plain(value))
    return " · ".join(facts) or "Done."


def imported(result: dict[str, Any]) -> list[str]:
    """An import's counts, and where its bad lines are and why."""
    lines = [
        f"Imported {result['imported']:,} calls; {result['duplicates']:,} already there, {result['errors']:,} refused."
    ]
    if told := [f"{result[name]:,} {words}" for name, words in BESIDE.items() if result.get(name)]:
        lines.append(f"  {'; '.join(told)}.")
    lines += [f"  {_where(bad)}: {_field(bad)}{bad['reason']}" for bad in result["first_errors"][:SHOWN_LINES]]
    if result["errors"] > SHOWN_LINES:
        lines.append(f"  … all {result['errors']:,} are in {result['errors_file']}")
    return lines


BESIDE = {
    "feedback": "pieces of feedback put on calls",
    "feedback_known": "pieces of feedback already there",
    "skipped": "rows that are no calls left out",
    "held_back": "calls kept out by the project's privacy settings",
}


def _where(bad: dict[str, Any]) -> str:
    parts = [bad.get("file"), f"line {bad['line']}" if bad["line"] else ""]
    return ", ".join(part for part in parts if part)


def _field(bad: dict[str, Any]) -> str:
    return f"{bad['field']}: " if bad.get("field") else ""


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | float | str) and value != ""


def _fact(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)


def comparison_table(summary: dict[str, Any], ceilings: Sequence[Ceiling] = ()) -> tuple[list[str], list[list[str]]]:
    """Columns and rows: one row per model, the best exact match first, then how often two people agree."""
    models = sorted(summary["models"].values(), key=lambda facts: -facts["exact_match"]["mean"])
    fields = list(models[0]["fields"]) if models else []
    columns = ["model", "n", "exact match", "valid JSON", *fields, "p50 ms", "$ per 1k calls"]
    return columns, [_row(facts, fields) for facts in models] + _people(ceilings, fields)


def quality_rows(found: Sequence[PersonQuality]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows: how each person answers; a dash where the data cannot tell."""
    columns = ["person", "answers", "known answers right", "estimated right", "median seconds"]
    return columns, [[each.username, str(each.answered), _gold(each), _told(each), _time(each)] for each in found]


def _gold(each: PersonQuality) -> str:
    if not each.gold_n or each.gold_low is None or each.gold_high is None:
        return "–"
    return f"{each.gold_right} of {each.gold_n} ({100 * each.gold_low:.0f}–{100 * each.gold_high:.0f} %)"


def _told(each: PersonQuality) -> str:
    return "–" if each.ds_accuracy is None else f"{100 * each.ds_accuracy:.0f} % (n={each.ds_n})"


def _time(each: PersonQuality) -> str:
    return "–" if each.median_seconds is None else f"{each.median_seconds:.0f}"


def _people(ceilings: Sequence[Ceiling], fields: list[str]) -> list[list[str]]:
    found = {each.metric: each.estimate for each in ceilings}
    if not found:
        return []
    n = str(found[WHOLE].n) if WHOLE in found else "–"
    agree = _share(found[WHOLE].to_dict()) if WHOLE in found else "–"
    by_field = [found.get(f"{FIELD}{name}") for name in fields]
    shares = [f"{100 * each.mean:.0f} %" if each else "–" for each in by_field]
    return [[f"{NAME.lower()} agree", n, agree, "–", *shares, "–", "–"]]


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
