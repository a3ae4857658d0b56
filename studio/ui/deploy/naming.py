"""Names of routes, and a split in words: the same on every card, chart and dialog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from storage.tables import Revision
from studio.deploy.overview import Overview

Routes = Iterable[Mapping[str, Any]]
ROOM = 28


def route_names(found: Overview) -> dict[str, str]:
    """Route → its name: revisions by their id, a provider's model by the model's id."""
    names = {view.model.id: view.model.name for view in found.revisions}
    names |= {view.revision.id: f"{view.model.name} (revision {view.revision.number})" for view in found.revisions}
    routes = heaviest_first(found.release.routes if found.release else [])
    return names | {route_of(route): share.name for route, share in zip(routes, found.shares, strict=True)}


def short_names(found: Overview) -> dict[str, str]:
    """The same for charts and tables, where there is little room: revision 8, or a model's name cut short."""
    short = {route: name if len(name) <= ROOM else f"{name[: ROOM - 1]}…" for route, name in route_names(found).items()}
    return short | {view.revision.id: f"revision {view.revision.number}" for view in found.revisions}


def heaviest_first(routes: Routes) -> list[Mapping[str, Any]]:
    """The order that shares are shown in."""
    return sorted(routes, key=lambda route: -float(route["weight"]))


def route_of(route: Mapping[str, Any]) -> str:
    """The id that traffic is counted under."""
    return str(route.get("revision_id") or route["model_id"])


def split_in_words(routes: Routes, names: Mapping[str, str]) -> str:
    """tuned-b (revision 3) 20 %, sample-teacher 80 %."""
    parts = [
        f"{names.get(route_of(route), 'another model')} {share_in_words(route['weight'])}"
        for route in heaviest_first(routes)
    ]
    return ", ".join(parts) or "nobody"


def share_in_words(weight: float) -> str:
    """20 %, or standby."""
    return f"{weight:g} %" if weight else "standby"


def place_of(revision: Revision, places: Mapping[str, str]) -> str:
    """Where it is served."""
    return places.get(revision.place_id or "") or revision.target
