"""Putting a split in force: one new row, with who copies calls, what was known of each revision, and why."""

from __future__ import annotations

from sqlmodel import Session

from storage.repositories.deployments import DeploymentRepository, ReleaseRepository, RevisionRepository
from storage.tables import Model, Release
from studio.access.actor import Actor
from studio.asking.provider import refuse_without_address
from studio.deploy.evidence import evidence_of
from studio.deploy.rollout import Routes, checked_routes, everybody
from studio.deploy.rows import note


def present(session: Session, deployment_id: str) -> Release | None:
    """The release in force, held: nobody else can put another in force before this transaction ends."""
    DeploymentRepository(session).hold(deployment_id)
    return ReleaseRepository(session).current(deployment_id)


def present_routes(session: Session, deployment_id: str) -> Routes:
    """The split in force; empty before the first."""
    newest = present(session, deployment_id)
    return newest.routes if newest else []


def present_shadows(session: Session, deployment_id: str) -> Routes:
    """Who answers copies now."""
    newest = present(session, deployment_id)
    return newest.shadows if newest else []


def checked(session: Session, deployment_id: str, routes: Routes) -> Routes:
    """The split, if it is valid for the deployment now. Raises InvalidInput or Conflict."""
    for model in (session.get(Model, route["model_id"]) for route in routes if not route.get("revision_id")):
        if model is not None:
            refuse_without_address(model)
    revisions = {row.id: row for row in RevisionRepository(session).of(deployment_id)}
    return checked_routes(routes, revisions, present_routes(session, deployment_id))


def put_in_force(
    session: Session,
    deployment_id: str,
    routes: Routes,
    reason: str,
    actor: Actor,
    *,
    shadows: Routes | None = None,
    undo_of: str | None = None,
) -> Release:
    """Append a release with its evidence, and its event. Shadows stay as they are unless given."""
    if shadows is None:
        shadows = present_shadows(session, deployment_id)
    answering = {route["revision_id"] for route in routes if route["weight"]}
    shadows = [shadow for shadow in shadows if shadow["revision_id"] not in answering]
    made = ReleaseRepository(session).append(
        deployment_id,
        routes,
        shadows=shadows,
        evidence={
            "revisions": evidence_of(session, deployment_id, everybody(routes, shadows)),
            "approved_by": actor.username,
        },
        reason=reason,
        created_by=actor.username,
        undo_of=undo_of,
    )
    note(session, deployment_id, None, "released", actor.username, number=made.number, reason=reason)
    return made
