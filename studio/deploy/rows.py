"""The rows behind a deployment, inside a caller's transaction: find them, add them, ask for them again."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from storage.repositories.deployments import (
    DeploymentRepository,
    EventRepository,
    RevisionRepository,
)
from storage.tables import Deployment, DeploymentEvent, Model, Revision
from storage.types import now
from studio.access.actor import Actor
from studio.errors import InvalidInput, NotFound

OVERRIDE = "override"
ACTIVE_STATES = ("created", "preflight", "exporting", "launching", "gating")
"""The deploy job is at it."""
LOG_MOST = 8_000
"""Characters of a log that are kept with an event."""


def passed_gates(revision: Revision) -> bool:
    """Whether the revision may have traffic: its last word is an override, or every gate passed."""
    results = revision.certificate or []
    overridden = any(result["gate"] == OVERRIDE for result in results)
    return overridden or (bool(results) and all(result["passed"] for result in results))


def want_again(revision: Revision) -> None:
    """Ask for the revision's server; it is ready once it is healthy."""
    revision.desired, revision.state, revision.error, revision.updated_at = "running", "restarting", None, now()


def create_alias(session: Session, project_id: str, alias: str) -> Deployment:
    """A new alias. Raises InvalidInput for a name callers could not use."""
    cleaned = alias.strip()
    if not cleaned or len(cleaned) > 120 or any(letter.isspace() for letter in cleaned):
        raise InvalidInput("An alias is the model name callers use: 1 to 120 characters, without spaces.")
    return DeploymentRepository(session).add(Deployment(project_id=project_id, alias=cleaned))


def add_revision(
    session: Session, deployment: Deployment, model: Model, settings: dict[str, Any], actor: Actor, **columns: Any
) -> Revision:
    """The next revision of the deployment; `columns` say where and how."""
    number = RevisionRepository(session).next_number(deployment.id)
    served = settings.get("served_name") or f"{deployment.alias}-r{number}"
    return RevisionRepository(session).add(
        Revision(
            deployment_id=deployment.id,
            model_id=model.id,
            number=number,
            digest=model.digest,
            spec={**settings, "served_name": served},
            created_by=actor.username,
            **columns,
        )
    )


def note(session: Session, deployment_id: str, revision_id: str | None, what: str, who: str, **detail: Any) -> None:
    """Append an event; of a log its end is kept, for a server may crash once a minute for days."""
    if isinstance(log := detail.get("log"), str):
        detail["log"] = log[-LOG_MOST:]
    EventRepository(session).add(
        DeploymentEvent(deployment_id=deployment_id, revision_id=revision_id, what=what, detail=detail, who=who)
    )


def model_of(session: Session, project_id: str, model_id: str) -> Model:
    """A model of the project. Raises NotFound."""
    found = session.get(Model, model_id)
    if found is None or found.project_id != project_id:
        raise NotFound("This model is not registered in the project. Reload the page and choose another.")
    return found


def deployment_of(session: Session, deployment_id: str) -> Deployment:
    """A deployment. Raises NotFound."""
    found = DeploymentRepository(session).get(deployment_id)
    if found is None:
        raise NotFound("This deployment no longer exists. Reload the page.")
    return found


def revision_of(session: Session, revision_id: str) -> Revision:
    """A revision. Raises NotFound."""
    found = RevisionRepository(session).get(revision_id)
    if found is None:
        raise NotFound("This revision no longer exists. Reload the page.")
    return found


def model_of_revision(session: Session, revision_id: str) -> Model:
    """The model that a revision serves. Raises NotFound."""
    return session.get_one(Model, revision_of(session, revision_id).model_id)
