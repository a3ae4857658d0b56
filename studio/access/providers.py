"""Providers: the upstreams the gateway may call, how each is spoken to, and their keys, encrypted."""

from __future__ import annotations

from typing import Annotated, Literal

import httpx
from pydantic import BaseModel, Field, StringConstraints, ValidationError, field_validator

from storage.database import Database
from storage.repositories.projects import ProjectRepository
from storage.repositories.providers import ProviderRepository
from storage.tables import Provider
from studio.access.actor import Actor, Role, permit
from studio.access.audit import record
from studio.access.origins import origin_of, web_address
from studio.access.secrets import SecretBox
from studio.errors import InvalidInput, NotFound, Unavailable

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
ModelName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


KINDS = {"openai": "OpenAI, and all who speak like it", "anthropic": "Anthropic"}
"""How providers are spoken to."""
ANTHROPIC_VERSION = "2023-06-01"


class ProviderInput(BaseModel):
    """A provider as somebody typed it."""

    name: Name
    kind: Literal["openai", "anthropic"] = "openai"
    base_url: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
    models: list[ModelName] = []
    prices: dict[str, dict[str, Annotated[float, Field(ge=0)]]] = {}

    @field_validator("base_url")
    @classmethod
    def _is_web_address(cls, url: str) -> str:
        return web_address(url)


class Providers:
    """Saves, finds and tests providers."""

    def __init__(self, database: Database, secrets: SecretBox) -> None:
        self.database = database
        self.secrets = secrets

    def save(
        self,
        actor: Actor,
        project_id: str,
        name: str,
        base_url: str,
        key: str = "",
        models: list[str] | None = None,
        prices: dict[str, dict[str, float]] | None = None,
        kind: str = "openai",
    ) -> Provider:
        """Make the provider, or change the one with this name; an empty key keeps the saved one at the same origin.

        Prices are USD per million tokens: prompt, completion, and cached and cache_write where they differ.
        """
        given = _checked(name=name, base_url=base_url, models=models or [], prices=prices or {}, kind=kind)
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            if ProjectRepository(session).get(project_id) is None:
                raise NotFound("This project does not exist. Choose another one in the sidebar.")
            providers = ProviderRepository(session)
            row = providers.named(project_id, given.name) or Provider(
                project_id=project_id, name=given.name, base_url=given.base_url
            )
            row.encrypted_key = self._key_to_keep(row, given.base_url, key.strip())
            row.base_url, row.models, row.prices = given.base_url, given.models, given.prices
            row.kind = given.kind
            providers.add(row)
            record(session, actor, "saved the provider", row.name, base_url=row.base_url, new_key=bool(key.strip()))
        return _without_key(row)

    def _key_to_keep(self, row: Provider, base_url: str, key: str) -> str:
        """The sealed key; a saved one never follows its provider to another origin, where it could be read."""
        if key:
            return self.secrets.encrypt(key)
        if row.encrypted_key and origin_of(row.base_url) != origin_of(base_url):
            raise InvalidInput("The address changed, so enter the provider's key again: it is never sent elsewhere.")
        return row.encrypted_key

    def all(self, project_id: str) -> list[Provider]:
        """The project's providers without their keys, oldest first."""
        with self.database.read() as session:
            return [_without_key(row) for row in ProviderRepository(session).of_project(project_id)]

    def get(self, provider_id: str) -> Provider:
        """The provider with this id, without its key. Raises NotFound."""
        return _without_key(self._row(provider_id))

    def find(self, project_id: str, name: str) -> Provider | None:
        """The project's provider with this name, without its key, or None."""
        with self.database.read() as session:
            row = ProviderRepository(session).named(project_id, name)
        return row and _without_key(row)

    def key_of(self, provider: Provider) -> str:
        """The provider's key in clear: for the request to its own origin and nothing else."""
        sealed = self._row(provider.id).encrypted_key
        return self.secrets.decrypt(sealed) if sealed else ""

    def test(self, actor: Actor, provider_id: str, timeout_s: float = 10.0) -> list[str]:
        """Ask the provider for its models with the saved key. Raises Unavailable with what went wrong."""
        with self.database.read() as session:
            permit(session, actor, Role.EDITOR)
        saved = self._row(provider_id)
        headers = _key_headers(saved.kind, self.key_of(saved))
        try:
            answer = httpx.get(f"{saved.base_url}/models", headers=headers, timeout=timeout_s, follow_redirects=False)
        except httpx.HTTPError as error:
            raise Unavailable(f"{saved.base_url} does not answer ({error}). Check the address.") from error
        return _model_names(saved.base_url, answer)

    def _row(self, provider_id: str) -> Provider:
        with self.database.read() as session:
            row = ProviderRepository(session).get(provider_id)
        if row is None:
            raise NotFound("This provider does not exist.")
        return row


def _key_headers(kind: str, key: str) -> dict[str, str]:
    if kind == "anthropic":
        return {"anthropic-version": ANTHROPIC_VERSION, **({"x-api-key": key} if key else {})}
    return {"Authorization": f"Bearer {key}"} if key else {}


def _checked(**given: object) -> ProviderInput:
    try:
        return ProviderInput.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        what = str(first["msg"]).removeprefix("Value error, ")
        raise InvalidInput(f"The provider's {where} is not valid: {what}.") from error


def _without_key(row: Provider) -> Provider:
    return Provider(**row.model_dump(exclude={"encrypted_key"}))


def _model_names(base_url: str, answer: httpx.Response) -> list[str]:
    if answer.status_code in (401, 403):
        raise Unavailable(f"{base_url} refused the key (HTTP {answer.status_code}). Enter it again.")
    if answer.status_code != 200:
        raise Unavailable(f"{base_url}/models answered HTTP {answer.status_code}. Check the address; many end in /v1.")
    try:
        return [str(model["id"]) for model in answer.json()["data"]]
    except (ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"{base_url}/models did not answer like an OpenAI API. Check the address.") from error
