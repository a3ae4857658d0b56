"""The verbs that move traffic. Each is one new row, so promoting and undoing are instant and nothing is overwritten."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from storage.repositories.deployments import DeploymentRepository
from storage.tables import Deployment, Release, Revision
from storage.types import now
from studio.access.actor import Actor, Role, permit
from studio.asking.provider import refuse_without_address
from studio.deploy import undoing
from studio.deploy.releases import checked, present, present_routes, present_shadows, put_in_force
from studio.deploy.rollout import Step, next_step, refuse_unready, shadowed, shifted
from studio.deploy.rows import (
    ACTIVE_STATES,
    OVERRIDE,
    create_alias,
    deployment_of,
    model_of,
    note,
    revision_of,
    want_again,
)
from studio.deploy.rules import checked_rules
from studio.deploy.service import DeployService
from studio.errors import Conflict, InvalidInput


class Releasing(DeployService):
    """Promote, shadow, shift, undo, and what they go by."""

    def ensure_alias(self, actor: Actor, project_id: str, alias: str, provider_model_id: str) -> Deployment:
        """The alias, made on first use with all its calls going to this provider's model."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            found = DeploymentRepository(session).find_one(project_id=project_id, alias=alias)
            if found is not None:
                return found
            model = model_of(session, project_id, provider_model_id)
            if model.kind != "provider":
                raise InvalidInput(f"{model.name} is not a provider's model. Deploy it, then move traffic to it.")
            refuse_without_address(model)
            made = create_alias(session, project_id, alias)
            routes = [{"model_id": model.id, "revision_id": None, "weight": 100}]
            put_in_force(session, made.id, routes, f"{alias} starts on {model.name}", actor)
            return made

    def release(self, actor: Actor, deployment_id: str, routes: list[dict[str, Any]], reason: str) -> Release:
        """Put this split in force: [{"model_id", "revision_id" | None, "weight"}] with weights adding up to 100."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            deployment_of(session, deployment_id)
            return put_in_force(session, deployment_id, checked(session, deployment_id, routes), reason, actor)

    def shift(self, actor: Actor, revision_id: str, percent: float, reason: str = "") -> Release:
        """Give the revision this share of the alias's calls, taken from (or given back to) the others in proportion."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            return _shift(session, actor, revision_of(session, revision_id), percent, reason)

    def shadow(self, actor: Actor, revision_id: str, percent: float, reason: str = "") -> Release:
        """Let the revision answer copies of this share of the calls, for nobody to see; 0 ends it."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            return _shadow(session, actor, revision_of(session, revision_id), percent, reason)

    def promote(self, actor: Actor, revision_id: str, reason: str = "") -> Release:
        """The revision's next step: shadow 20 %, then 5, 50 and 100 % of the calls. Raises Conflict unless ready."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            revision = revision_of(session, revision_id)
            step = _next(session, revision)
            return (_shadow if step.shadow else _shift)(session, actor, revision, step.percent, reason)

    def undo(self, actor: Actor, deployment_id: str) -> Release:
        """Put the split from before the present one back in force, shadows too. Raises Conflict if there is none.

        Instant while the servers of that split run; one that was stopped is started, and the reason says who answers
        until it is ready.
        """
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            deployment_of(session, deployment_id)
            return undoing.undo(session, deployment_id, actor)

    def override_gates(self, actor: Actor, revision_id: str, reason: str) -> Revision:
        """Let a revision whose gates failed have traffic all the same; the reason stays with it and its releases."""
        if not reason.strip():
            raise InvalidInput("Say why the gates are overridden; the reason is kept with the revision.")
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN)
            revision = revision_of(session, revision_id)
            if revision.state in ACTIVE_STATES:
                raise Conflict(f"Revision {revision.number} is still {revision.state}. Wait for its gates.")
            if revision.state == "ready":
                raise Conflict(f"Revision {revision.number} is ready. There is nothing to override.")
            if not revision.certificate:
                raise Conflict(f"Revision {revision.number} never came to its gates. Deploy the model again.")
            evidence = {"reason": reason.strip(), "by": actor.username}
            entry = {"gate": OVERRIDE, "passed": True, "evidence": evidence, "at": now().isoformat()}
            revision.certificate = [*revision.certificate, entry]
            want_again(revision)
            note(session, revision.deployment_id, revision.id, "gates overridden", actor.username, reason=reason)
            return revision

    def set_rules(self, actor: Actor, deployment_id: str, rules: dict[str, Any]) -> Deployment:
        """Replace the alias's guardrail, smoke prompts, time limit and warm hours. Raises InvalidInput by field."""
        wanted = checked_rules(rules)
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            deployment = deployment_of(session, deployment_id)
            before, deployment.rules = deployment.rules, wanted
            session.add(deployment)
            note(session, deployment_id, None, "rules changed", actor.username, before=before, after=wanted)
            return deployment


def _shift(session: Session, actor: Actor, revision: Revision, percent: float, reason: str) -> Release:
    routes = shifted(present_routes(session, revision.deployment_id), revision, percent)
    routes = checked(session, revision.deployment_id, routes)
    reason = reason or f"revision {revision.number} to {percent:g} %"
    return put_in_force(session, revision.deployment_id, routes, reason, actor)


def _shadow(session: Session, actor: Actor, revision: Revision, percent: float, reason: str) -> Release:
    routes = present_routes(session, revision.deployment_id)
    _refuse_shadow(revision, routes, percent)
    shadows = shadowed(present_shadows(session, revision.deployment_id), revision.id, percent)
    reason = reason or f"revision {revision.number} shadows {percent:g} %"
    return put_in_force(session, revision.deployment_id, routes, reason, actor, shadows=shadows)


def _next(session: Session, revision: Revision) -> Step:
    refuse_unready(revision)
    newest = present(session, revision.deployment_id)
    step = next_step(newest.routes, newest.shadows, revision.id) if newest else Step(100.0)
    if step is None:
        raise Conflict(f"Revision {revision.number} has all the traffic already.")
    return step


def _refuse_shadow(revision: Revision, routes: list[dict[str, Any]], percent: float) -> None:
    if not percent:
        return
    refuse_unready(revision)
    if any(route["revision_id"] == revision.id and route["weight"] for route in routes):
        raise Conflict(f"Revision {revision.number} has traffic of its own. Take that away before it shadows others.")
    if not any(route["weight"] for route in routes):
        raise Conflict("Nobody answers under this alias yet, so there are no calls to copy. Promote the revision.")
