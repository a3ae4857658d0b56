"""The arithmetic of a traffic split: steps, shift, check, and what an undo goes back to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from storage.tables import Release, Revision
from studio.errors import Conflict, InvalidInput

Routes = list[dict[str, Any]]
TOLERANCE = 0.01
SHADOW_PERCENT = 20.0
SHARES = (5.0, 50.0, 100.0)


@dataclass(frozen=True)
class Step:
    """One step of a promotion: copies of some calls, or a share of them."""

    percent: float
    shadow: bool = False

    @property
    def label(self) -> str:
        """As on a button."""
        return f"{'Shadow ' if self.shadow else ''}{self.percent:g} %"


def next_step(routes: Routes, shadows: Routes, revision_id: str) -> Step | None:
    """The revision's next: copies, 5 %, 50 %, 100 %; None when it has everything.

    Where nobody else answers there is nothing to copy and nobody to share with: it gets everything at once.
    """
    weight = sum(route["weight"] for route in routes if route["revision_id"] == revision_id)
    if not any(route["weight"] for route in routes if route["revision_id"] != revision_id):
        return Step(100.0) if weight < 100 else None
    if not weight and not any(shadow["revision_id"] == revision_id for shadow in shadows):
        return Step(SHADOW_PERCENT, shadow=True)
    return next((Step(share) for share in SHARES if share > weight), None)


def shadowed(shadows: Routes, revision_id: str, percent: float) -> Routes:
    """The shadows with this revision answering copies of `percent` of the calls; 0 takes it out."""
    if not 0 <= percent <= 100:
        raise InvalidInput("A share of copied calls is between 0 and 100 percent.")
    others = [shadow for shadow in shadows if shadow["revision_id"] != revision_id]
    return [*others, {"revision_id": revision_id, "percent": _tidy(percent)}] if percent else others


def everybody(routes: Routes, shadows: Routes) -> set[str]:
    """The revisions that have a share of the calls, or of their copies."""
    ids = {route["revision_id"] for route in routes if route["weight"]}
    return {found for found in ids | {shadow["revision_id"] for shadow in shadows} if found}


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
    return [*([ours] if percent else []), *_adding_up(scaled, 100 - _tidy(percent))]


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
    """The releases that nothing took back, oldest first. `releases` is newest first.

    An undo takes back the release it names and what came after; when its split is not the one before those, it counts
    as a release of its own.
    """
    kept: list[Release] = []
    for release in reversed(releases):
        if release.undo_of is None:
            kept.append(release)
            continue
        place = next((n for n, one in enumerate(kept) if one.id == release.undo_of), len(kept))
        kept = kept[:place]
        if not kept or not _is_back_at(release, kept[-1]):
            kept.append(release)
    return kept


def _is_back_at(release: Release, earlier: Release) -> bool:
    """Whether it is that split again; a shadow that could not come back makes no difference."""
    (shares, copies), (before, copied) = traffic_of(release), traffic_of(earlier)
    return shares == before and copies.items() <= copied.items()


def traffic_of(release: Release) -> tuple[dict[str, float], dict[str, float]]:
    """Who has which share of the calls, and of their copies; standbys have none."""
    routes = {key_of(route): float(route["weight"]) for route in release.routes if route["weight"]}
    return routes, {shadow["revision_id"]: shadow["percent"] for shadow in release.shadows}


def previous_release(releases: list[Release]) -> tuple[Release, Release]:
    """What an undo undoes, and the release it goes back to; undoing again goes further back, never forth."""
    kept = in_effect(releases)
    if len(kept) < 2:
        raise Conflict("There is no earlier traffic split to go back to.")
    return kept[-1], kept[-2]


def arrival(releases: list[Release], route: str) -> Release | None:
    """The release since which this route has had a share of the calls or copies without a break; None if it has none.

    `releases` is newest first.
    """
    found = None
    for release in releases:
        shares, copies = traffic_of(release)
        if route not in shares and route not in copies:
            break
        found = release
    return found


def without(releases: list[Release], revision: Revision, usable: Collection[str]) -> Routes | None:
    """The split in force with this revision taken out, or None when nobody else can answer.

    Whoever shares the calls with it takes its share. If nobody does, the newest earlier split without it comes back;
    failing that, standbys take over. `usable` are the routes that can answer now; `releases` is newest first.
    """
    routes = [route for route in releases[0].routes if key_of(route) in usable and route["revision_id"] != revision.id]
    if any(route["weight"] for route in routes):
        return shifted(releases[0].routes, revision, 0)
    for release in reversed(in_effect(releases)):
        weighted = [route for route in release.routes if route["weight"]]
        if weighted and all(key_of(route) in usable and route["revision_id"] != revision.id for route in weighted):
            return [route for route in release.routes if route["revision_id"] != revision.id]
    return shifted(routes, revision, 0) if routes else None


def refuse_unready(revision: Revision) -> None:
    """Raise Conflict for a revision that cannot have traffic, or soon cannot."""
    if revision.state != "ready":
        raise Conflict(
            f"Revision {revision.number} is {revision.state}, not ready, so it cannot have traffic. "
            "Wait for its gates, or let an admin override them with a reason."
        )
    if revision.desired != "running":
        raise Conflict(f"Revision {revision.number} is being stopped, so it cannot have traffic. Start it again first.")


def key_of(route: dict[str, Any]) -> str:
    """What traffic is counted by: the revision, or the provider's model."""
    return str(route["revision_id"] or route["model_id"])


def _check_revision(route: dict[str, Any], revisions: Mapping[str, Revision], had: float) -> None:
    if not route.get("revision_id"):
        return
    revision = revisions.get(route["revision_id"])
    if revision is None:
        raise InvalidInput("A route names a revision of another deployment.")
    if route["weight"] > had:
        refuse_unready(revision)


def _adding_up(routes: Routes, total: float) -> Routes:
    """Rounding leftovers go to the heaviest route."""
    if routes:
        heaviest = max(routes, key=lambda route: float(route["weight"]))
        heaviest["weight"] = _tidy(heaviest["weight"] + total - sum(route["weight"] for route in routes))
    return routes


def _tidy(weight: float) -> float:
    rounded = round(weight, 2)
    return int(rounded) if rounded == int(rounded) else rounded
