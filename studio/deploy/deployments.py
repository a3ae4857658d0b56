"""Deployments: aliases, the revisions behind them, and who gets which share of the calls."""

from __future__ import annotations

import secrets as random_source
from typing import Any

from sqlmodel import Session

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.deployments import (
    DeploymentRepository,
    EventRepository,
    ReleaseRepository,
    RevisionRepository,
)
from storage.tables import Deployment, DeploymentEvent, Model, Release, Revision
from storage.types import now
from studio.access.actor import Actor, Role, permit
from studio.access.secrets import SecretBox
from studio.deploy.rollout import checked_routes, previous_release, shifted
from studio.deploy.targets.catalog import serving_target
from studio.errors import Conflict, InvalidInput, NotFound
from studio.jobs.queue import Jobs
from studio.settings import Settings

ACTIVE_STATES = ("created", "exporting", "launching", "gating")


class Deployments:
    """Traffic moves by one new row, so promoting and undoing are instant and nothing is ever overwritten."""

    def __init__(self, database: Database, artifacts: Artifacts, jobs: Jobs, settings: Settings) -> None:
        self.database = database
        self.artifacts = artifacts
        self.jobs = jobs
        self.settings = settings

    def ensure_alias(self, actor: Actor, project_id: str, alias: str, provider_model_id: str) -> Deployment:
        """The alias, made on first use with all its calls going to this provider's model."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            found = DeploymentRepository(session).find_one(project_id=project_id, alias=alias)
            if found is not None:
                return found
            model = _model(session, project_id, provider_model_id)
            if model.kind != "provider":
                raise InvalidInput(f"{model.name} is not a provider's model. Deploy it, then move traffic to it.")
            made = _create(session, project_id, alias)
            routes = [{"model_id": model.id, "revision_id": None, "weight": 100}]
            _release(session, made.id, routes, f"{alias} starts on {model.name}", actor)
            return made

    def deploy(
        self,
        actor: Actor,
        project_id: str,
        alias: str,
        model_id: str,
        target: str = "embedded",
        options: dict[str, Any] | None = None,
        api_key: str = "",
    ) -> Revision:
        """Start serving the model behind the alias; a job exports, launches and gates it. Traffic does not move yet.

        `options` are the target's own: `url` and `dialect` for external, `threads`, `max_total_tokens` for embedded.
        """
        needs_weights = serving_target(target).needs_weights
        box, settings = SecretBox(self.settings.secrets), dict(options or {})
        settings["encrypted_key"] = box.encrypt(api_key or random_source.token_urlsafe(32))
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            model = _model(session, project_id, model_id)
            if needs_weights and not model.digest:
                raise InvalidInput(f"{model.name} has no weights here to serve. Choose a model made in the studio.")
            deployment = DeploymentRepository(session).find_one(project_id=project_id, alias=alias)
            deployment = deployment or _create(session, project_id, alias)
            revision = _add_revision(session, deployment, model, target, settings, actor)
            title = f"Deploy {model.name} as {alias} revision {revision.number}"
            job = self.jobs.enqueue(
                session, actor, "deploy", {"revision_id": revision.id}, title=title, project_id=project_id
            )
            revision.spec = {**revision.spec, "job_id": job.id}
            _note(session, revision.deployment_id, revision.id, "created", actor.username, model=model.name)
            return revision

    def release(self, actor: Actor, deployment_id: str, routes: list[dict[str, Any]], reason: str) -> Release:
        """Put this split in force: [{"model_id", "revision_id" | None, "weight"}] with weights adding up to 100."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            _deployment(session, deployment_id)
            return _release(session, deployment_id, _checked(session, deployment_id, routes), reason, actor)

    def shift(self, actor: Actor, revision_id: str, percent: float, reason: str = "") -> Release:
        """Give the revision this share of the alias's calls, taken from (or given back to) the others in proportion."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            revision = _revision(session, revision_id)
            routes = shifted(_routes(session, revision.deployment_id), revision, percent)
            checked = _checked(session, revision.deployment_id, routes)
            reason = reason or f"revision {revision.number} to {percent:g} %"
            return _release(session, revision.deployment_id, checked, reason, actor)

    def undo(self, actor: Actor, deployment_id: str) -> Release:
        """Put the split from before the present one back in force. Raises Conflict if there is none."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            releases = ReleaseRepository(session).of(deployment_id)
            undone, restored = previous_release(releases)
            _wake(session, deployment_id, restored.routes)
            reason = f"undo of release {undone.number}: back to release {restored.number}"
            return _release(session, deployment_id, restored.routes, reason, actor, undo_of=undone.id)

    def stop(self, actor: Actor, revision_id: str) -> Revision:
        """Stop the revision's server. Raises Conflict while it has traffic."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            revision = _revision(session, revision_id)
            routes = _routes(session, revision.deployment_id)
            if any(route["revision_id"] == revision.id and route["weight"] for route in routes):
                raise Conflict(f"Revision {revision.number} has traffic. Move its traffic first, then stop it.")
            revision.desired, revision.updated_at = "stopped", now()
            _note(session, revision.deployment_id, revision.id, "stop asked for", actor.username)
            return revision

    def restart(self, actor: Actor, revision_id: str) -> Revision:
        """Start a stopped revision again; it was gated before, so it is ready once it is healthy."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            revision = _revision(session, revision_id)
            if not passed_gates(revision):
                raise Conflict(f"Revision {revision.number} has not passed its gates. Deploy the model again.")
            _wanted_again(revision)
            _note(session, revision.deployment_id, revision.id, "start asked for", actor.username)
            return revision

    def override_gates(self, actor: Actor, revision_id: str, reason: str) -> Revision:
        """Let a revision whose gates failed have traffic all the same; the reason is kept with its certificate."""
        if not reason.strip():
            raise InvalidInput("Say why the gates are overridden; the reason is kept with the revision.")
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN)
            revision = _revision(session, revision_id)
            if revision.state in ACTIVE_STATES:
                raise Conflict(f"Revision {revision.number} is still {revision.state}. Wait for its gates.")
            evidence = {"reason": reason.strip(), "by": actor.username}
            entry = {"gate": OVERRIDE, "passed": True, "evidence": evidence, "at": now().isoformat()}
            revision.certificate = [*revision.certificate, entry]
            _wanted_again(revision)
            _note(session, revision.deployment_id, revision.id, "gates overridden", actor.username, reason=reason)
            return revision

    def all(self, project_id: str) -> list[Deployment]:
        """The project's aliases, oldest first."""
        with self.database.read() as session:
            return DeploymentRepository(session).find(project_id=project_id)

    def get(self, deployment_id: str) -> Deployment:
        """An alias. Raises NotFound."""
        with self.database.read() as session:
            return _deployment(session, deployment_id)

    def find(self, project_id: str, alias: str) -> Deployment | None:
        """The alias of this name, if there is one."""
        with self.database.read() as session:
            return DeploymentRepository(session).find_one(project_id=project_id, alias=alias)

    def current(self, deployment_id: str) -> Release | None:
        """The split in force; None before the first."""
        with self.database.read() as session:
            return ReleaseRepository(session).current(deployment_id)

    def releases(self, deployment_id: str) -> list[Release]:
        """Every split there was, newest first."""
        with self.database.read() as session:
            return ReleaseRepository(session).of(deployment_id)

    def revision(self, revision_id: str) -> Revision:
        """A revision. Raises NotFound."""
        with self.database.read() as session:
            return _revision(session, revision_id)

    def revisions(self, deployment_id: str) -> list[Revision]:
        """The alias's revisions, newest first."""
        with self.database.read() as session:
            return RevisionRepository(session).of(deployment_id)

    def events(self, deployment_id: str, limit: int = 50) -> list[DeploymentEvent]:
        """What happened, newest first."""
        with self.database.read() as session:
            return EventRepository(session).newest(deployment_id, limit)


OVERRIDE = "override"


def passed_gates(revision: Revision) -> bool:
    """Whether the revision may have traffic: its last word is an override, or every gate passed."""
    results = revision.certificate or []
    overridden = any(result["gate"] == OVERRIDE for result in results)
    return overridden or (bool(results) and all(result["passed"] for result in results))


def _wanted_again(revision: Revision) -> None:
    revision.desired, revision.state, revision.error, revision.updated_at = "running", "restarting", None, now()


def _wake(session: Session, deployment_id: str, routes: list[dict[str, Any]]) -> None:
    """Start the stopped servers that a split needs again; until they are healthy its other routes answer."""
    needed = {route["revision_id"] for route in routes if route["weight"]}
    for revision in RevisionRepository(session).of(deployment_id):
        if revision.id in needed and revision.desired == "stopped" and passed_gates(revision):
            _wanted_again(revision)


def _routes(session: Session, deployment_id: str) -> list[dict[str, Any]]:
    newest = ReleaseRepository(session).current(deployment_id)
    return newest.routes if newest else []


def _checked(session: Session, deployment_id: str, routes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    revisions = {row.id: row for row in RevisionRepository(session).of(deployment_id)}
    return checked_routes(routes, revisions, _routes(session, deployment_id))


def _create(session: Session, project_id: str, alias: str) -> Deployment:
    cleaned = alias.strip()
    if not cleaned or len(cleaned) > 120 or any(letter.isspace() for letter in cleaned):
        raise InvalidInput("An alias is the model name callers use: 1 to 120 characters, without spaces.")
    return DeploymentRepository(session).add(Deployment(project_id=project_id, alias=cleaned))


def _add_revision(
    session: Session, deployment: Deployment, model: Model, target: str, settings: dict[str, Any], actor: Actor
) -> Revision:
    number = RevisionRepository(session).next_number(deployment.id)
    served = settings.get("served_name") or f"{deployment.alias}-r{number}"
    return RevisionRepository(session).add(
        Revision(
            deployment_id=deployment.id,
            model_id=model.id,
            number=number,
            target=target,
            spec={**settings, "served_name": served},
            created_by=actor.username,
        )
    )


def _release(
    session: Session,
    deployment_id: str,
    routes: list[dict[str, Any]],
    reason: str,
    actor: Actor,
    undo_of: str | None = None,
) -> Release:
    made = ReleaseRepository(session).append(
        deployment_id, routes, reason=reason, created_by=actor.username, undo_of=undo_of
    )
    _note(session, deployment_id, None, "released", actor.username, number=made.number, reason=reason)
    return made


def _note(session: Session, deployment_id: str, revision_id: str | None, what: str, who: str, **detail: Any) -> None:
    EventRepository(session).add(
        DeploymentEvent(deployment_id=deployment_id, revision_id=revision_id, what=what, detail=detail, who=who)
    )


def _model(session: Session, project_id: str, model_id: str) -> Model:
    found = session.get(Model, model_id)
    if found is None or found.project_id != project_id:
        raise NotFound("This model is not registered in the project. Reload the page and choose another.")
    return found


def _deployment(session: Session, deployment_id: str) -> Deployment:
    found = DeploymentRepository(session).get(deployment_id)
    if found is None:
        raise NotFound("This deployment no longer exists. Reload the page.")
    return found


def _revision(session: Session, revision_id: str) -> Revision:
    found = RevisionRepository(session).get(revision_id)
    if found is None:
        raise NotFound("This revision no longer exists. Reload the page.")
    return found
