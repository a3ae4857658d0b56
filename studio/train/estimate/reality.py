"""Estimates against what happened, for the card of a finished run."""

from __future__ import annotations

from typing import Any

from studio.train.estimate.speed import Source
from studio.train.estimate.whole import SECONDS_SPREAD, SPREAD

MIB = 1 << 20
IDLE_SHARE = 0.25
"""A run by itself keeps every core busy; a load this much higher comes from others."""


def check(plan: dict[str, Any], summary: dict[str, Any]) -> dict[str, Any]:
    """How far a run's estimates were off: shares of what was measured, positive where too much was expected.

    `plan` is what the run kept of its plan and `summary` what it measured; what either does not know is left out.
    """
    expected = plan.get("estimate") or {}
    memory = _compared("memory", sum((expected.get("memory") or {}).values()) / MIB, summary.get("peak_memory_mb"))
    seconds = _compared("time", expected.get("training_seconds"), summary.get("wall_s"))
    tokens = _compared("tokens", expected.get("tokens"), summary.get("tokens"))
    found = memory | seconds | tokens
    if memory:
        found["memory_held"] = _inside(found["memory_error"], 1 - SPREAD, 1 + SPREAD)
    if seconds:
        found["time_held"] = _inside(found["time_error"], *SECONDS_SPREAD[_source(expected)])
    said = [_sentence(found), _busy(summary) if seconds else ""]
    return found | ({"sentence": " ".join(each for each in said if each)} if found else {})


def _busy(summary: dict[str, Any]) -> str:
    """Whether others kept the machine busy: then a wrong time says little about the estimate."""
    load = summary.get("load") or {}
    most, cores = max(load.get("start") or 0, load.get("end") or 0), load.get("cores") or 0
    if summary.get("device", "cpu") != "cpu" or not cores or most <= cores * (1 + IDLE_SHARE):
        return ""
    return f"The machine was busy (load {most:.1f} on {cores} cores), so the time says little about the estimate."


def _compared(name: str, expected: float | None, measured: float | None) -> dict[str, Any]:
    if not expected or not measured:
        return {}
    error = expected / measured - 1
    return {f"{name}_expected": round(expected, 1), f"{name}_measured": measured, f"{name}_error": round(error, 3)}


def _source(expected: dict[str, Any]) -> Source:
    return next((source for source in SECONDS_SPREAD if source == expected.get("source")), "arithmetic")


def _inside(error: float, low: float, high: float) -> bool:
    """Whether what was measured lies in the range that was stated around the expectation."""
    ratio = 1 / (1 + error)
    return low <= ratio <= high


def _sentence(found: dict[str, Any]) -> str:
    said = [f"{name} {_in_words(found[f'{name}_error'])}" for name in ("memory", "time") if f"{name}_error" in found]
    return f"Estimated {' and '.join(said)}." if said else ""


def _in_words(error: float) -> str:
    if abs(error) < 0.02:
        return "to the point"
    return f"{abs(error):.0%} too {'high' if error > 0 else 'low'}"
