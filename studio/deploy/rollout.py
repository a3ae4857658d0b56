"""The arithmetic of a traffic split: shift, check, and what an undo goes back to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.tables import Release, Revision
from studio.errors import Conflict, InvalidInput

Routes = list[dict[str, Any]]
TOLERANCE = 0.01


def shifted(routes: Routes, revision: Revision, percent: float) -> Routes:
    """The routes with this revision at `percent` and the others sharing the rest as before.

    A route that ends at 0 stays as a standby, which answers only when the weighted ones cannot; a revision shifted to 0
    is taken out, for somebody does not want its answers. With nobody to take the rest, a first revision gets it all.
    """
    if not 0 <= percent <= 100:
        raise InvalidInput("A share of traffic is between 0 and 100 percent.")
    others = [route for route in routes if route["revision_id"] != revision.id]
    before = sum(route["weight"] for route in others)
    rest = 100 - percent
    if rest and not others:
        raise Conflict("No other route can take the rest of the traffic. Give this revision 100 %.")
    ours = {"model_id": revision.model_id, "revision_id": revision.id, "weight": _tidy(percent)}
    even = before == 0
    scaled = [
        {**route, "weight": _tidy(rest / len(others) if even else route["weight"] * rest / before)} for route in others
    ]
    return _exactly_100([*([ours] if percent else []), *scaled])


def checked_routes(routes: Routes, revisions: Mapping[str, Revision], before: Routes) -> Routes:
    """The routes if they are a valid split. Raises InvalidInput or Conflict with the reason.

    A revision that is not ready may keep or lose what it has of `before`, but gets no more.
    """
    if not routes or any(not 0 <= route["weight"] <= 100 for route in routes):
        raise InvalidInput("A split needs at least one route, each between 0 and 100 percent.")
    total = sum(route["weight"] for route in routes)
    if abs(total - 100) > TOLERANCE:
        raise InvalidInput(f"The shares add up to {total:g} %, not to 100 %.")
    had = {route["revision_id"]: route["weight"] for route in before}
    for route in routes:
        _check_revision(route, revisions, had.get(route.get("revision_id"), 0))
    return [{"model_id": r["model_id"], "revision_id": r.get("revision_id"), "weight": r["weight"]} for r in routes]


def in_effect(releases: list[Release]) -> list[Release]:
    """The releases that no undo took back, oldest first. `releases` is newest first."""
    kept: list[Release] = []
    for release in reversed(releases):
        if release.undo_of is None:
            kept.append(release)
        else:
            kept.pop()
    return kept


def previous_release(releases: list[Release]) -> tuple[Release, Release]:
    """What an undo undoes, and the release it goes back to; undoing again goes further back, never forth."""
    kept = in_effect(releases)
    if len(kept) < 2:
        raise Conflict("There is no earlier traffic split to go back to.")
    return kept[-1], kept[-2]


def _check_revision(route: dict[str, Any], revisions: Mapping[str, Revision], had: float) -> None:
    if not route.get("revision_id"):
        return
    revision = revisions.get(route["revision_id"])
    if revision is None:
        raise InvalidInput("A route names a revision of another deployment.")
    if route["weight"] > had and revision.state != "ready":
        raise Conflict(
            f"Revision {revision.number} is {revision.state}, not ready, so it cannot have traffic. "
            "Wait for its gates, or let an admin override them with a reason."
        )


def _exactly_100(routes: Routes) -> Routes:
    """Rounding leftovers go to the heaviest route."""
    heaviest = max(routes, key=lambda route: float(route["weight"]))
    heaviest["weight"] = _tidy(heaviest["weight"] + 100 - sum(route["weight"] for route in routes))
    return routes


def _tidy(weight: float) -> float:
    rounded = round(weight, 2)
    return int(rounded) if rounded == int(rounded) else rounded
