"""A revision that lost its traffic keeps running for some hours, for an instant undo, and is then stopped."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import Session

from storage.database import Database
from storage.repositories.deployments import DeploymentRepository, ReleaseRepository, RevisionRepository
from storage.tables import Deployment, Release, Revision
from storage.types import now
from studio.deploy.hosting import target_of
from studio.deploy.releases import present
from studio.deploy.rollout import everybody
from studio.deploy.rows import note
from studio.deploy.rules import rules_of
from studio.deploy.undoing import usable
from studio.errors import NotFound
from studio.settings import Settings


def cool(database: Database, settings: Settings) -> list[str]:
    """Stop what has been without traffic for longer than its alias's rule says; the ids of the stopped."""
    with database.read() as session:
        found = DeploymentRepository(session).newest_releases()
    return [revision_id for deployment, _release in found for revision_id in _cool_one(database, settings, deployment)]


def _cool_one(database: Database, settings: Settings, deployment: Deployment) -> list[str]:
    hours = rules_of(deployment).keep_warm_hours
    if hours is None:
        return []
    with database.read() as session:
        idle = [row for row in _idle(session, deployment.id, timedelta(hours=hours))]
    return [row.id for row in idle if _is_ours(database, settings, row) and _stop(database, row, hours)]


def _idle(session: Session, deployment_id: str, longest: timedelta) -> list[Revision]:
    releases = ReleaseRepository(session).of(deployment_id)
    weighted = [route for route in releases[0].routes if route["weight"]]
    if len(usable(session, weighted)) < len(weighted):
        return []  # whoever has the traffic is in trouble: an undo may be near
    rows = RevisionRepository(session).of(deployment_id)
    return [
        row for row in rows if row.state == "ready" and row.desired == "running" and _is_idle(row, releases, longest)
    ]


def _is_idle(revision: Revision, releases: list[Release], longest: timedelta) -> bool:
    """Whether it had traffic once, has none now, and neither that nor its own start is recent."""
    lost = None
    for release in releases:
        if revision.id in everybody(release.routes, release.shadows):
            break
        lost = release
    else:
        return False  # it never had any: somebody may be about to promote it
    return lost is not None and now() - max(lost.created_at, revision.updated_at) > longest


def _is_ours(database: Database, settings: Settings, revision: Revision) -> bool:
    """Whether stopping it frees anything: somebody else's server runs on."""
    try:
        return target_of(database, settings, revision).caps.managed
    except NotFound:
        return False


def _stop(database: Database, seen: Revision, hours: float) -> bool:
    with database.write() as session:
        newest = present(session, seen.deployment_id)
        row = session.get_one(Revision, seen.id, with_for_update=True)
        if newest is None or row.updated_at != seen.updated_at or row.id in everybody(newest.routes, newest.shadows):
            return False
        row.desired, row.updated_at = "stopped", now()
        why = f"It has had no traffic for {hours:g} h. An undo to it starts it again."
        note(session, row.deployment_id, row.id, "stop asked for", "worker", why=why)
        return True
