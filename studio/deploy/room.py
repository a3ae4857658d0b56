"""Places that hold only one server of an alias: who has to go first, who comes back, and who waits for whom."""

from __future__ import annotations

from collections.abc import Collection

from sqlmodel import Session

from storage.repositories.deployments import RevisionRepository
from storage.tables import Revision
from storage.types import now
from studio.access.actor import Actor
from studio.deploy.releases import present_routes, put_in_force
from studio.deploy.rows import note, passed_gates, want_again

RECREATE = "recreate"
STRATEGIES = ("blue_green", RECREATE)
REPLACED = "replaced"
"""Where a revision's spec keeps the ids of those that made room for it."""


def rivals(session: Session, revision: Revision) -> list[Revision]:
    """The alias's other revisions at the same place, if this place holds only one of them.

    Other aliases' servers are never stopped for this one: if they leave no room, the launch fails and says so.
    """
    return [
        other
        for other in RevisionRepository(session).of(revision.deployment_id)
        if other.id != revision.id
        and (other.target, other.place_id) == (revision.target, revision.place_id)
        and RECREATE in (other.strategy, revision.strategy)
    ]


def make_room(session: Session, revision: Revision, who: str, keep: Collection[str] = ()) -> list[Revision]:
    """Ask the rivals to stop, except those to keep; who they were is kept for `bring_back`."""
    leaving = [other for other in rivals(session, revision) if other.desired == "running" and other.id not in keep]
    for other in leaving:
        other.desired, other.updated_at = "stopped", now()
        note(session, other.deployment_id, other.id, "makes room", who, why=f"for revision {revision.number}")
    replaced = dict.fromkeys([*revision.spec.get(REPLACED, []), *(other.id for other in leaving)])
    revision.spec = {**revision.spec, REPLACED: list(replaced)}
    return leaving


def bring_back(session: Session, revision: Revision, who: str) -> None:
    """Start those again that made room for a revision which failed."""
    for other in replaced(session, revision):
        if other.desired == "stopped" and passed_gates(other):
            want_again(other)
            note(session, other.deployment_id, other.id, "comes back", who, why=f"revision {revision.number} failed")
    revision.spec = {**revision.spec, REPLACED: []}


def take_over(session: Session, revision: Revision, actor: Actor) -> None:
    """The calls of those that made room go to the one that they made it for: they have no server any more."""
    routes, theirs = (
        present_routes(session, revision.deployment_id),
        {other.id for other in replaced(session, revision)},
    )
    share = sum(route["weight"] for route in routes if route["revision_id"] in theirs)
    revision.spec = {**revision.spec, REPLACED: []}
    if not share:
        return
    had = sum(route["weight"] for route in routes if route["revision_id"] == revision.id)
    kept = [route for route in routes if route["revision_id"] not in theirs | {revision.id}]
    reason = f"revision {revision.number} takes the place of those that made room for it"
    ours = {"model_id": revision.model_id, "revision_id": revision.id, "weight": share + had}
    put_in_force(session, revision.deployment_id, [ours, *kept], reason, actor)


def replaced(session: Session, revision: Revision) -> list[Revision]:
    """Those that made room for it."""
    ids = revision.spec.get(REPLACED, [])
    return [other for other in RevisionRepository(session).of(revision.deployment_id) if other.id in ids]


def must_wait(session: Session, revision: Revision) -> bool:
    """Whether a rival still holds the place that it was asked to leave."""
    return any(other.handle and other.desired == "stopped" for other in rivals(session, revision))
