"""The verbs about servers: deploy a model, stop and start its server, ask it something."""

from __future__ import annotations

import secrets as random_source
from collections.abc import Iterator
from typing import Any

from sqlmodel import Session

from storage.repositories.deployments import DeploymentRepository
from storage.tables import Model, Revision, ServingPlace
from storage.types import now
from studio.access.actor import Actor, Role, permit
from studio.access.secrets import SecretBox
from studio.asking.provider import refuse_without_address
from studio.deploy.artifact import Problem
from studio.deploy.artifact.forms import Choice, chosen_form
from studio.deploy.asking import client_for, server_folder
from studio.deploy.client import Reply, ServerClient, timed
from studio.deploy.fitness import Wanted, problems
from studio.deploy.gates import GateResult, Round, Subject, smoke_prompts
from studio.deploy.gates.smoke import smoke
from studio.deploy.hosting import place_at, target_at, target_of
from studio.deploy.releases import present_routes, present_shadows
from studio.deploy.rollout import everybody
from studio.deploy.room import STRATEGIES, make_room, rivals
from studio.deploy.rows import (
    add_revision,
    create_alias,
    model_of,
    model_of_revision,
    note,
    passed_gates,
    revision_of,
    want_again,
)
from studio.deploy.service import DeployService
from studio.deploy.targets.catalog import serving_target
from studio.deploy.targets.port import Caps
from studio.deploy.tgi_command import TgiAdvice, tgi_command, tgi_problems
from studio.errors import Conflict, InvalidInput, NotFound

FORMS = ("auto", "merged", "adapter")


class Serving(DeployService):
    """Deploy, stop, start, ask."""

    def deploy(
        self,
        actor: Actor,
        project_id: str,
        alias: str,
        model_id: str,
        target: str = "embedded",
        options: dict[str, Any] | None = None,
        api_key: str = "",
        *,
        place_id: str | None = None,
        form: str = "auto",
        strategy: str = "blue_green",
    ) -> Revision:
        """Start serving the model behind the alias; a job checks, exports, launches and gates it. Traffic stays.

        `options` are the target's own: `url` and `dialect` for external, `threads`, `max_total_tokens` for embedded.
        `strategy` recreate stops the alias's other revisions at that place first, for where only one fits.
        """
        _refuse_unknown(form, FORMS, "form")
        _refuse_unknown(strategy, STRATEGIES, "strategy")
        caps = target_at(self.database, self.settings, target, place_id).caps
        settings = {**(options or {}), "encrypted_key": self._sealed_key(api_key, place_id, caps)}
        where = {"target": target, "place_id": place_id, "form": form, "strategy": strategy}
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN if (options or {}).get("url") else Role.EDITOR)  # it may lead inside
            model = _servable(session, project_id, model_id, caps)
            _refuse_other_place(session, target, place_id)
            deployment = DeploymentRepository(session).find_one(project_id=project_id, alias=alias)
            deployment = deployment or create_alias(session, project_id, alias)
            revision = add_revision(session, deployment, model, settings, actor, **where)
            title = f"Deploy {model.name} as {alias} revision {revision.number}"
            job = self.jobs.enqueue(
                session, actor, "deploy", {"revision_id": revision.id}, title=title, project_id=project_id
            )
            revision.spec = {**revision.spec, "job_id": job.id}
            note(session, revision.deployment_id, revision.id, "created", actor.username, model=model.name)
            return revision

    def preflight(
        self,
        project_id: str,
        model_id: str,
        target: str = "embedded",
        place_id: str | None = None,
        form: str = "auto",
        options: dict[str, Any] | None = None,
    ) -> list[Problem]:
        """What speaks against serving the model there, before anything is copied or started; blocking ones first."""
        _refuse_unknown(form, FORMS, "form")
        place = place_at(self.database, self.settings, place_id)
        with self.database.read() as session:
            _refuse_other_place(session, target, place_id)
            model = _servable(session, project_id, model_id, serving_target(target, place).caps)
        return problems(self.artifacts, self.settings, Wanted(model, target, form, place, dict(options or {})))

    def form_of(
        self, project_id: str, model_id: str, target: str = "embedded", place_id: str | None = None, form: str = "auto"
    ) -> Choice:
        """In which form the model would be pushed there, and why. Raises Conflict where there is no safe one."""
        _refuse_unknown(form, FORMS, "form")
        place = place_at(self.database, self.settings, place_id)
        with self.database.read() as session:
            model = model_of(session, project_id, model_id)
        return chosen_form(self.artifacts, model, target, form, place)

    def stop(self, actor: Actor, revision_id: str) -> Revision:
        """Stop the revision's server. Raises Conflict while it has traffic or shadows others'."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            revision = revision_of(session, revision_id)
            if revision.id in self._busy(session, revision):
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
            if revision.desired == "running" and revision.state in ("ready", "restarting"):
                return revision  # asked twice: it must not leave its callers for a moment
            busy = self._busy(session, revision)
            if taken := next((row for row in rivals(session, revision) if row.id in busy), None):
                raise Conflict(
                    f"Its place holds only one, and revision {taken.number} has traffic there. Undo instead."
                )
            want_again(revision)
            note(session, revision.deployment_id, revision.id, "start asked for", actor.username)
            make_room(session, revision, actor.username)
            return revision

    def log(self, revision_id: str) -> str:
        """The last lines the revision's server wrote, whether it lives or not."""
        with self.database.read() as session:
            revision = revision_of(session, revision_id)
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
        return timed(self._client(actor, revision_id), messages, max_tokens)

    def ask_gateway(self, key: str, alias: str, messages: list[dict[str, Any]], max_tokens: int = 256) -> Reply:
        """Try one conversation as any caller would: through the gateway, with an API key, recorded."""
        client = ServerClient(self.settings.gateway_url, alias, key.strip(), dialect="openai")
        return timed(client, messages, max_tokens)

    def stream(
        self,
        actor: Actor,
        revision_id: str,
        messages: list[dict[str, Any]],
        max_tokens: int = 256,
        temperature: float = 0.0,
    ) -> Iterator[str]:
        """As `ask`, piece by piece as the server writes."""
        return self._client(actor, revision_id).stream(messages, max_tokens, temperature)

    def stream_gateway(
        self, key: str, alias: str, messages: list[dict[str, Any]], max_tokens: int = 256, temperature: float = 0.0
    ) -> Iterator[str]:
        """As `ask_gateway`, piece by piece."""
        client = ServerClient(self.settings.gateway_url, alias, key.strip(), dialect="openai")
        return client.stream(messages, max_tokens, temperature)

    def try_smoke(self, actor: Actor, revision_id: str, prompt: dict[str, Any]) -> GateResult:
        """Ask one smoke prompt of a running revision, as the gate will. Raises InvalidInput for a wrong prompt."""
        judged = Subject([], smoke=smoke_prompts({"smoke": [prompt]}))
        passed, evidence = smoke(Round(self._client(actor, revision_id), judged))
        return GateResult("smoke", passed, evidence)

    def _client(self, actor: Actor, revision_id: str) -> ServerClient:
        with self.database.read() as session:
            permit(session, actor, Role.EDITOR)
            revision = revision_of(session, revision_id)
        if not revision.endpoint:
            raise Conflict(f"Revision {revision.number} has no server running. Start it first.")
        return client_for(self.settings, revision)

    def _sealed_key(self, api_key: str, place_id: str | None, caps: Caps) -> str:
        """The key the server answers to: as given; the place's own; else a new one where we start the server."""
        box = SecretBox(self.settings.secrets)
        if not api_key and place_id:
            with self.database.read() as session:
                place = session.get(ServingPlace, place_id)
            if place and (place.encrypted_key or not caps.managed):
                return place.encrypted_key
        return box.encrypt(api_key or random_source.token_urlsafe(32))

    def _busy(self, session: Session, revision: Revision) -> set[str]:
        routes = present_routes(session, revision.deployment_id)
        return everybody(routes, present_shadows(session, revision.deployment_id))


def _refuse_unknown(value: str, known: tuple[str, ...], what: str) -> None:
    if value not in known:
        raise InvalidInput(f"There is no {what} {value!r}. Use {' or '.join(known)}.")


def _refuse_other_place(session: Session, target: str, place_id: str | None) -> None:
    place = session.get(ServingPlace, place_id) if place_id else None
    if place_id and place is None:
        raise NotFound("This place was deleted. Choose another one.")
    if place and place.kind != target:
        raise InvalidInput(f"{place.name} is a place for {place.kind}, not for {target}.")


def _servable(session: Session, project_id: str, model_id: str, caps: Caps) -> Model:
    model = model_of(session, project_id, model_id)
    if model.kind == "reward":
        raise InvalidInput(f"{model.name} judges answers and writes none, so nothing can be served from it.")
    if caps.needs_weights:
        refuse_without_address(model)
    if caps.needs_weights and not model.digest:
        raise InvalidInput(f"{model.name} has no weights here to serve. Choose a model made in the studio.")
    return model
