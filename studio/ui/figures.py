"""The four figures of Home: this week's sums, and how they changed against the week before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from studio.capture.logs import Totals
from studio.ui.formats import milliseconds, money, percent, short_number

Change = str | int | None


@dataclass(frozen=True)
class Figure:
    """One metric card. A change of 0 is shown as neutral, None not at all."""

    label: str
    value: str
    change: Change
    color: Literal["normal", "inverse", "off"]
    help: str


def minus(longer: Totals, shorter: Totals) -> Totals:
    """The part of the longer span that is not in the shorter one."""
    calls = longer.calls - shorter.calls
    if calls <= 0:
        return Totals()
    latency = longer.mean_latency_ms * longer.calls - shorter.mean_latency_ms * shorter.calls
    return Totals(
        calls=calls,
        errors=longer.errors - shorter.errors,
        cost_usd=longer.cost_usd - shorter.cost_usd,
        mean_latency_ms=latency / calls,
    )


def week_figures(week: Totals, before: Totals) -> list[Figure]:
    """Calls, error rate, mean latency and spend."""
    compared = bool(week.calls and before.calls)
    rate, rate_before = error_rate(week), error_rate(before)
    points = change_by((rate - rate_before) * 100, 0.05, "+.1f", " pts") if compared else None
    slower = change_by(week.mean_latency_ms - before.mean_latency_ms, 1, "+.0f", " ms") if compared else None
    spent = grown(week.cost_usd, before.cost_usd)
    latency = milliseconds(week.mean_latency_ms) if week.calls else "–"
    errors = percent(rate) if week.calls else "–"
    return [
        Figure("Calls", short_number(week.calls), grown(week.calls, before.calls), "off", "Last seven days"),
        Figure("Errors", errors, points, "inverse", "Share of calls that did not end well, last seven days"),
        Figure("Mean latency", latency, slower, "inverse", "From the request to the answer's end, last seven days"),
        Figure("Spend", money(week.cost_usd), spent, "off", "At the prices you entered, last seven days"),
    ]


def error_rate(totals: Totals) -> float:
    """Share of calls that did not end well."""
    return totals.errors / totals.calls if totals.calls else 0.0


def grown(present: float, past: float) -> Change:
    """By how many percent it grew; nothing to say without a past."""
    return change_by((present / past - 1) * 100, 0.5, "+,.0f", "%") if past else None


def change_by(amount: float, least: float, form: str, unit: str) -> str | int:
    """The change as written, or a neutral 0 where it would round to nothing."""
    return 0 if abs(amount) < least else f"{amount:{form}}{unit}"
