"""What can be answered without the index, while it is first built: newest first, and only what the roll-up knows."""

from __future__ import annotations

from studio.capture.explorer.answers import Page, Point
from studio.capture.filters import LogFilter
from studio.capture.logs import Logs, VolumePoint


def page(logs: Logs, criteria: LogFilter, below: int | None, limit: int) -> Page:
    """Calls in order of arrival, whatever was asked for."""
    rows = logs.page(criteria, before=below, limit=limit + 1)
    return Page(rows[:limit], f"~{rows[limit - 1].id}" if len(rows) > limit else None)


def facets(logs: Logs, criteria: LogFilter) -> dict[str, list[tuple[str, int]]]:
    """Models and statuses of the project, whatever the filter."""
    found = logs.facets(criteria.project_id)
    return {"model": list(found.models.items()), "status": list(found.statuses.items())}


def series(logs: Logs, criteria: LogFilter) -> list[Point]:
    """Calls and costs by the hour or day, without percentiles."""
    by_time: dict[object, list[VolumePoint]] = {}
    for found in logs.volume(criteria):
        by_time.setdefault(found.at, []).append(found)
    return [_point(found) for found in by_time.values()]


def _point(found: list[VolumePoint]) -> Point:
    statuses = {each.status: each.calls for each in found}
    calls = sum(statuses.values())
    return Point(
        found[0].at, calls, calls - statuses.get("ok", 0), sum(each.cost_usd for each in found), 0, 0, statuses=statuses
    )
