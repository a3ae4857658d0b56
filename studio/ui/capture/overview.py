"""Calls, cost, latency and errors over time, for what the filters show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from storage.tables import Project
from studio.capture.explorer.answers import Point
from studio.ui.capture import place, questions
from studio.ui.capture.parts import part, told

KEY = "overview"
CHARTS = ("volume", "cost", "latency", "errors")
HOUR_MS = 3_600_000

_OVERVIEW = part("overview")


def overview(project: Project, newest: int) -> None:
    """The charts; nothing where no call matches."""
    criteria = place.criteria(project)
    points = questions.series(criteria, newest)
    whole = questions.whole(criteria, newest)
    if not points or whole is None or not whole.calls:
        return
    steps = [_step_facts(point) for point in points]
    data = {
        "points": steps,
        "step": step_of(steps),
        "total": _step_facts(whole),
        "chart": place.one("chart") or CHARTS[0],
    }
    _OVERVIEW(key=KEY, data=data, on_did_change=_did)


def step_of(steps: Sequence[Mapping[str, Any]]) -> int:
    """Milliseconds from one step to the next."""
    moments = [step["at"] for step in steps]
    gaps = [after - before for before, after in pairwise(moments) if after > before]
    return min(gaps, default=HOUR_MS)


def _step_facts(point: Point) -> dict[str, Any]:
    return {
        "at": round(point.at.timestamp() * 1000),
        "calls": point.calls,
        "errors": point.errors,
        "cost": point.cost_usd,
        "p50": point.p50_ms,
        "p95": point.p95_ms,
        "first": point.first_token_p50_ms,
        "statuses": point.statuses,
    }


def _did() -> None:
    did = told(KEY, "did")
    if did.get("kind") == "chart" and did.get("chart") in CHARTS:
        place.set_one("chart", "" if did["chart"] == CHARTS[0] else str(did["chart"]))
    if did.get("kind") == "zoom":
        place.change(**{"range": [], "from": [_moment(did["from"])], "to": [_moment(did["to"])]})


def _moment(ms: float) -> str:
    return datetime.fromtimestamp(float(ms) / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
