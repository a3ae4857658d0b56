"""Deployments: aliases, the revisions behind them, and who gets which share of the calls."""

from __future__ import annotations

import secrets as random_source
from typing import Any

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.deployments import (
    DeploymentRepository,
    EventRepository,
    ReleaseRepository,
    RevisionRepository,
)
from storage.tables import Deployment, DeploymentEvent, Release, Revision
from storage.types import now
from studio.access.actor import Actor, Role, permit
from studio.access.secrets import SecretBox
from studio.asking.provider import refuse_without_address
from studio.deploy.client import Reply, ServerClient, timed
from studio.deploy.hosting import target_of
from studio.deploy.overview import Overview, overview
from studio.deploy.reconcile import client_for, server_folder
from studio.deploy.rollout import previous_release, shifted
from studio.deploy.rows import (
    OVERRIDE,
    add_revision,
    checked,
    create_alias,
    deployment_of,
    model_of,
    model_of_revision,
    note,
    passed_gates,
    present_routes,
    put_in_force,
    revision_of,
    wake,
    want_again,
)
from studio.deploy.targets.catalog import serving_target
from studio.deploy.tgi_command import TgiAdvice, tgi_command, tgi_problems
from studio.errors import Conflict, InvalidInput
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
            model = model_of(session, project_id, provider_model_id)
            if model.kind != "provider":
                raise InvalidInput(f"{model.name} is not a provider's model. Deploy it, then move traffic to it.")
            refuse_without_address(model)
            made = create_alias(session, project_id, alias)
            routes = [{"model_id": model.id, "revision_id": None, "weight": 100}]
            put_in_force(session, made.id, routes, f"{alias} starts on {model.name}", actor)
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
        needs_weights = serving_target(target).caps.needs_weights
        box, settings = SecretBox(self.settings.secrets), dict(options or {})
        settings["encrypted_key"] = box.encrypt(api_key or random_source.token_urlsafe(32))
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            model = model_of(session, project_id, model_id)
            if model.kind == "reward":
                raise InvalidInput(f"{model.name} judges answers and writes none, so nothing can be served from it.")
            if needs_weights:
                refuse_without_address(model)
            if needs_weights and not model.digest:
                raise InvalidInput(f"{model.name} has no weights here to serve. Choose a model made in the studio.")
            deployment = DeploymentRepository(session).find_one(project_id=project_id, alias=alias)
            deployment = deployment or create_alias(session, project_id, alias)
            revision = add_revision(session, deployment, model, target, settings, actor)
            title = f"Deploy {model.name} as {alias} revision {revision.number}"
            job = self.jobs.enqueue(
                session, actor, "deploy", {"revision_id": revision.id}, title=title, project_id=project_id
            )
            revision.spec = {**revision.spec, "job_id": job.id}
            note(session, revision.deployment_id, revision.id, "created", actor.username, model=model.name)
            return revision

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
            revision = revision_of(session, revision_id)
            routes = shifted(present_routes(session, revision.deployment_id), revision, percent)
            routes = checked(session, revision.deployment_id, routes)
            reason = reason or f"revision {revision.number} to {percent:g} %"
            return put_in_force(session, revision.deployment_id, routes, reason, actor)

    def undo(self, actor: Actor, deployment_id: str) -> Release:
        """Put the split from before the present one back in force. Raises Conflict if there is none."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            releases = ReleaseRepository(session).of(deployment_id)
            undone, restored = previous_release(releases)
            wake(session, deployment_id, restored.routes)
            reason = f"undo of release {undone.number}: back to release {restored.number}"
            return put_in_force(session, deployment_id, restored.routes, reason, actor, undo_of=undone.id)

    def stop(self, actor: Actor, revision_id: str) -> Revision:
        """Stop the revision's server. Raises Conflict while it has traffic."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            revision = revision_of(session, revision_id)
            routes = present_routes(session, revision.deployment_id)
            if any(route["revision_id"] == revision.id and route["weight"] for route in routes):
                raise Conflict(f"Revision {revision.number} has traffic. Move its traffic first, then stop it.")
            revision.desired, revision.updated_at = "stopped", now()
            note(session, revision.deployment_id, revision.id, "stop asked for", actor.username)
            return revision

    def restart(self, actor: Actor, revision_id: str) -> Revision:
        """Start a stopped revision again; it was gated before, so it is ready once it is healthy."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            revision = revision_of(session, revision_id)
            if not passed_gates(revision):
                raise Conflict(f"Revision {revision.number} has not passed its gates. Deploy the model again.")
            want_again(revision)
            note(session, revision.deployment_id, revision.id, "start asked for", actor.username)
            return revision

    def override_gates(self, actor: Actor, revision_id: str, reason: str) -> Revision:
        """Let a revision whose gates failed have traffic all the same; the reason is kept with its certificate."""
        if not reason.strip():
            raise InvalidInput("Say why the gates are overridden; the reason is kept with the revision.")
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN)
            revision = revision_of(session, revision_id)
            if revision.state in ACTIVE_STATES:
                raise Conflict(f"Revision {revision.number} is still {revision.state}. Wait for its gates.")
            evidence = {"reason": reason.strip(), "by": actor.username}
            entry = {"gate": OVERRIDE, "passed": True, "evidence": evidence, "at": now().isoformat()}
            revision.certificate = [*revision.certificate, entry]
            want_again(revision)
            note(session, revision.deployment_id, revision.id, "gates overridden", actor.username, reason=reason)
            return revision

    def all(self, project_id: str) -> list[Deployment]:
        """The project's aliases, oldest first."""
        with self.database.read() as session:
            return DeploymentRepository(session).find(project_id=project_id)

    def get(self, deployment_id: str) -> Deployment:
        """An alias. Raises NotFound."""
        with self.database.read() as session:
            return deployment_of(session, deployment_id)

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
            return revision_of(session, revision_id)

    def revisions(self, deployment_id: str) -> list[Revision]:
        """The alias's revisions, newest first."""
        with self.database.read() as session:
            return RevisionRepository(session).of(deployment_id)

    def overview(self, deployment_id: str) -> Overview:
        """Shares, revisions, events and the next move, as the Deploy page shows them."""
        with self.database.read() as session:
            return overview(session, deployment_id)

    def log(self, revision_id: str) -> str:
        """The last lines the revision's server wrote, whether it lives or not."""
        revision = self.revision(revision_id)
        target = target_of(self.database, self.settings, revision)
        return target.look(revision.handle, server_folder(self.settings, revision.id)).log_tail

    def on_tgi(self, revision_id: str) -> TgiAdvice | None:
        """How to serve the same weights on a TGI container; None before they are exported."""
        with self.database.read() as session:
            model = model_of_revision(session, revision_id)
        folder = self.settings.root / "models" / model.digest
        known = bool(model.digest) and (folder / "config.json").exists()
        return TgiAdvice(tgi_command(folder), tgi_problems(folder)) if known else None

    def ask(self, actor: Actor, revision_id: str, messages: list[dict[str, Any]], max_tokens: int = 256) -> Reply:
        """Try one conversation on a revision directly; it is not recorded as a call."""
        with self.database.read() as session:
            permit(session, actor, Role.EDITOR)
            revision = revision_of(session, revision_id)
        if not revision.endpoint:
            raise Conflict(f"Revision {revision.number} has no server running. Start it first.")
        return timed(client_for(self.settings, revision), messages, max_tokens)

    def ask_gateway(self, key: str, alias: str, messages: list[dict[str, Any]], max_tokens: int = 256) -> Reply:
        """Try one conversation as any caller would: through the gateway, with an API key, recorded."""
        client = ServerClient(self.settings.gateway_url, alias, key.strip(), dialect="openai")
        return timed(client, messages, max_tokens)

    def events(self, deployment_id: str, limit: int = 50) -> list[DeploymentEvent]:
        """What happened, newest first."""
        with self.database.read() as session:
            return EventRepository(session).newest(deployment_id, limit)
