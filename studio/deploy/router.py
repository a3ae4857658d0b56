"""RoutingTable: which server answers a call, read from the database in one go and then asked without touching it.

The gateway loads a new table about once a second and replaces the old one, so a release is in force within that time.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

from sqlmodel import Session

from storage.database import Database
from storage.repositories.deployments import DeploymentRepository
from storage.tables import Deployment, Model, Provider, Release, Revision


class Decrypts(Protocol):
    """What the table needs of the secret box."""

    def decrypt(self, sealed: str, /) -> str:
        """The clear text."""
        ...


@dataclass(frozen=True)
class Route:
    """One server that can answer a model name."""

    base_url: str
    """OpenAI-style base, with its `/v1`: append `/chat/completions`."""
    upstream_model: str
    """The name to send upstream; the caller gets `name` back."""
    name: str
    """What the caller asked for: an alias, or a provider's model."""
    dialect: str = "openai"
    """openai or tgi (TGI takes `response_format` in its own form)."""
    api_key: str = field(default="", repr=False)
    model_id: str | None = None
    deployment_id: str | None = None
    revision_id: str | None = None
    provider_id: str | None = None
    prices: dict[str, float] = field(default_factory=dict)
    """{"prompt", "completion"} in USD per million tokens; empty when unknown."""
    weight: float = 100.0
    """Share of the alias's calls; 0 is a standby that answers only when the others cannot."""
    timeout_s: float | None = None
    """Seconds to wait for its first byte while another route is left; None waits as long as for any upstream."""

    @property
    def key(self) -> str:
        """How traffic figures name it: the revision's id, or the model's for a provider's model."""
        return self.revision_id or self.model_id or ""


@dataclass(frozen=True)
class _Alias:
    """What stands behind an alias now."""

    routes: tuple[Route, ...]
    """By age, newest revision first: what the weights choose from."""
    net: Route | None = None
    """The provider's model that answers when none of the routes does, though it has no share any more."""
    shadows: tuple[tuple[Route, float], ...] = ()
    """Revisions that answer copies of this percentage of the calls."""

    @cached_property
    def order(self) -> tuple[Route, ...]:
        """Every route that may answer, in the order in which they are tried after the chosen one has failed."""
        tried = sorted(self.routes, key=lambda route: (-route.weight, route.revision_id is None))
        return (*tried, self.net) if self.net else tuple(tried)


@dataclass
class _Project:
    aliases: dict[str, _Alias] = field(default_factory=dict)
    models: dict[str, Route] = field(default_factory=dict)
    catch_all: Provider | None = None


class RoutingTable:
    """Immutable once loaded; keys are in clear only here, in memory."""

    def __init__(self, projects: dict[str, _Project], secrets: Decrypts) -> None:
        self._projects = projects
        self._secrets = secrets
        found = (alias for project in projects.values() for alias in project.aliases.values())
        self._aliases: dict[str | None, _Alias] = {
            route.deployment_id: alias for alias in found for route in alias.order
        }

    @classmethod
    def load(cls, database: Database, secrets: Decrypts) -> RoutingTable:
        """Read releases, ready revisions and providers as they are now."""
        with database.read() as session:
            return cls(_Loader(session, secrets).load(), secrets)

    def pick(self, project_id: str, model_name: str, sticky_key: str | None = None) -> Route | None:
        """The route for one call: an alias by weight (the same key always lands alike), else a provider's model."""
        project = self._projects.get(project_id)
        if project is None:
            return None
        alias = project.aliases.get(model_name)
        if alias is not None:
            return _weighted(alias.routes, sticky_key) or alias.net
        return project.models.get(model_name) or self._forward(project, model_name)

    def fallbacks(self, route: Route) -> list[Route]:
        """The other routes of the same alias, heaviest first, to try when this one fails before its first byte.

        The last one is the provider's model the alias was on before, also if it has no share any more.
        """
        alias = self._aliases.get(route.deployment_id)
        return [other for other in alias.order if other.key != route.key] if alias else []

    def shadows(self, route: Route) -> tuple[tuple[Route, float], ...]:
        """Who is to answer a copy of a call that this route has answered, each with its percentage of the calls."""
        alias = self._aliases.get(route.deployment_id)
        if alias is None or not alias.shadows:
            return ()
        return tuple((shadow, percent) for shadow, percent in alias.shadows if shadow.key != route.key)

    def names(self, project_id: str) -> list[str]:
        """Every name a caller may use: aliases first, then providers' models."""
        project = self._projects.get(project_id, _Project())
        return [*sorted(project.aliases), *sorted(set(project.models) - set(project.aliases))]

    def _forward(self, project: _Project, model_name: str) -> Route | None:
        if project.catch_all is None or not model_name:
            return None
        return _provider_route(project.catch_all, model_name, model_name, self._secrets)


def openai_base(endpoint: str) -> str:
    """The OpenAI-style base of a server given by its root: with exactly one `/v1` at the end."""
    root = endpoint.rstrip("/")
    return root if root.endswith("/v1") else f"{root}/v1"


def position(key: str) -> float:
    """Where a sticky key falls on [0, 1); the same for every gateway replica."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64


def _weighted(routes: tuple[Route, ...], sticky_key: str | None) -> Route | None:
    total = sum(route.weight for route in routes)
    if total <= 0:
        return routes[0] if routes else None
    left = (position(sticky_key) if sticky_key else random.random()) * total
    for route in routes:
        left -= route.weight
        if left < 0:
            return route
    return next(route for route in reversed(routes) if route.weight > 0)


def _provider_route(provider: Provider, name: str, upstream: str, secrets: Decrypts, **facts: Any) -> Route:
    return Route(
        base_url=provider.base_url.rstrip("/"),
        upstream_model=upstream,
        name=name,
        api_key=_key(provider.encrypted_key, secrets),
        provider_id=provider.id,
        prices=dict(provider.prices.get(upstream) or {}),
        **facts,
    )


def _key(sealed: str, secrets: Decrypts) -> str:
    return secrets.decrypt(sealed) if sealed else ""


class _Loader:
    def __init__(self, session: Session, secrets: Decrypts) -> None:
        self.deployments = DeploymentRepository(session)
        self.secrets = secrets
        self.providers = {row.id: row for row in self.deployments.providers()}
        self.models = {row.id: row for row in self.deployments.models()}
        self.revisions = {row.id: row for row in self.deployments.ready_revisions()}

    def load(self) -> dict[str, _Project]:
        projects: dict[str, _Project] = {}
        for deployment, release in self.deployments.newest_releases():
            found = projects.setdefault(deployment.project_id, _Project())
            found.aliases[deployment.alias] = self._alias(deployment, release)
        for provider in self.providers.values():
            self._pass_through(projects.setdefault(provider.project_id, _Project()), provider)
        return projects

    def _alias(self, deployment: Deployment, release: Release) -> _Alias:
        shared = {"deployment_id": deployment.id, "timeout_s": deployment.rules.get("timeout_s")}
        standby = bool(deployment.rules.get("fallback", True))
        specs = [spec for spec in release.routes if standby or spec.get("revision_id") or spec.get("weight")]
        made = [self._route(deployment.alias, spec, shared) for spec in specs]
        routes = _in_order(route for route in made if route is not None)
        net = self._net(deployment, release, shared) if standby else None
        return _Alias(routes, net, tuple(self._shadows(deployment, release, shared)))

    def _net(self, deployment: Deployment, release: Release, shared: dict[str, Any]) -> Route | None:
        """The provider's model of the newest release that had one, unless the present one has."""
        if any(not spec.get("revision_id") for spec in release.routes):
            return None
        for routes in self.deployments.earlier_routes(deployment.id, release.number):
            for spec in routes:
                if not spec.get("revision_id") and (route := self._route(deployment.alias, spec, shared)):
                    return replace(route, weight=0.0)
        return None

    def _shadows(
        self, deployment: Deployment, release: Release, shared: dict[str, Any]
    ) -> Iterator[tuple[Route, float]]:
        for spec in release.shadows:
            revision = self.revisions.get(spec["revision_id"])
            if revision is not None:
                facts = {**shared, "model_id": revision.model_id, "weight": 0.0}
                route = self._revision_route(deployment.alias, revision, facts)
                yield (route, float(spec["percent"]))

    def _route(self, alias: str, spec: dict[str, Any], shared: dict[str, Any]) -> Route | None:
        model = self.models.get(spec["model_id"])
        if model is None:
            return None
        facts = {**shared, "model_id": model.id, "weight": float(spec.get("weight", 0))}
        if not spec.get("revision_id"):
            return self._model_route(alias, model, facts)
        revision = self.revisions.get(spec["revision_id"])
        return self._revision_route(alias, revision, facts) if revision else None

    def _revision_route(self, alias: str, revision: Revision, facts: dict[str, Any]) -> Route:
        return Route(
            base_url=openai_base(revision.endpoint),
            upstream_model=str(revision.spec.get("served_name", alias)),
            name=alias,
            dialect=revision.dialect,
            api_key=_key(str(revision.spec.get("encrypted_key", "")), self.secrets),
            revision_id=revision.id,
            prices=dict(revision.spec.get("prices") or {"prompt": 0.0, "completion": 0.0}),
            **facts,
        )

    def _model_route(self, alias: str, model: Model, facts: dict[str, Any]) -> Route | None:
        provider = self.providers.get(model.provider_id or "")
        if provider is None:
            return None
        return _provider_route(provider, alias, model.provider_model or model.name, self.secrets, **facts)

    def _pass_through(self, project: _Project, provider: Provider) -> None:
        ids = {model.provider_model: model.id for model in self.models.values() if model.provider_id == provider.id}
        for name in provider.models:
            if name == "*":
                project.catch_all = project.catch_all or provider
            elif name not in project.models:
                project.models[name] = _provider_route(provider, name, name, self.secrets, model_id=ids.get(name))


def _in_order(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Newest revision first, so that a sticky key moves to it at most once as its share grows."""
    return tuple(sorted(routes, key=lambda route: route.revision_id or "", reverse=True))
