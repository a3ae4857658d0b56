"""Going back: the split from before, its servers awake again, and somebody to answer until they are."""

from __future__ import annotations

from sqlmodel import Session

from storage.repositories.deployments import ENDED_STATES, ReleaseRepository, RevisionRepository
from storage.tables import Model, Release, Revision
from studio.access.actor import Actor
from studio.deploy.releases import present, put_in_force
from studio.deploy.rollout import Routes, key_of, previous_release
from studio.deploy.room import make_room
from studio.deploy.rows import note, passed_gates, want_again


def undo(session: Session, deployment_id: str, actor: Actor) -> Release:
    """Put the split from before the present one in force. Raises Conflict if there is none."""
    present(session, deployment_id)
    undone, restored = previous_release(ReleaseRepository(session).of(deployment_id))
    weighted = {route["revision_id"] for route in restored.routes if route["weight"]}
    needed = [row for row in RevisionRepository(session).of(deployment_id) if row.id in weighted]
    asleep = [row for row in needed if row.state != "ready" or row.desired != "running"]
    for row in asleep:
        wake(session, row, actor.username, keep=weighted)
    routes = [*restored.routes, *_stand_ins(session, restored, undone)]
    reason = f"undo of release {undone.number}: back to release {restored.number}" + _meanwhile(session, routes, asleep)
    return put_in_force(
        session, deployment_id, routes, reason, actor, shadows=_still_there(session, restored), undo_of=undone.id
    )


def wake(session: Session, revision: Revision, who: str, keep: set[str]) -> None:
    """Start a stopped server again, and make room for it where only one fits."""
    ended = revision.desired == "stopped" or revision.state in ENDED_STATES
    if ended and passed_gates(revision):
        want_again(revision)
        note(session, revision.deployment_id, revision.id, "start asked for", who)
        make_room(session, revision, who, keep)


def usable(session: Session, routes: Routes) -> Routes:
    """The routes that can answer now."""
    return [route for route in routes if not route["revision_id"] or _is_ready(session, route["revision_id"])]


def _is_ready(session: Session, revision_id: str) -> bool:
    revision = session.get(Revision, revision_id)
    return revision is not None and revision.state == "ready" and revision.desired == "running"


def _stand_ins(session: Session, restored: Release, undone: Release) -> Routes:
    """When nobody of the restored split can answer yet, those who answer now stand by until they can."""
    if usable(session, restored.routes):
        return []
    known = {key_of(route) for route in restored.routes}
    return [{**route, "weight": 0} for route in usable(session, undone.routes) if key_of(route) not in known]


def _still_there(session: Session, restored: Release) -> Routes:
    """Shadows that can come back; one that was stopped stays away, for nobody waits for its answers."""
    return [shadow for shadow in restored.shadows if _is_ready(session, shadow["revision_id"])]


def _meanwhile(session: Session, routes: Routes, asleep: list[Revision]) -> str:
    if not asleep:
        return ""
    starting = " and ".join(f"revision {row.number}" for row in asleep)
    names = " and ".join(_name(session, route) for route in usable(session, routes)) or "nobody"
    return f"; {starting} was not running and is starting, until then {names} answers"


def _name(session: Session, route: dict[str, object]) -> str:
    revision = session.get(Revision, route["revision_id"]) if route["revision_id"] else None
    return f"revision {revision.number}" if revision else session.get_one(Model, route["model_id"]).name
