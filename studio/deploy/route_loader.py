"""RouteLoader: releases, ready revisions and providers, read into routes in one go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Protocol

from sqlmodel import Session

from storage.repositories.deployments import DeploymentRepository
from storage.tables import Deployment, Model, Provider, Release, Revision
from studio.deploy.routes import Alias, ProjectRoutes, Route, openai_base


class Decrypts(Protocol):
    """What the table needs of the secret box."""

    def decrypt(self, sealed: str, /) -> str:
        """The clear text."""
        ...


def provider_route(provider: Provider, name: str, upstream: str, secrets: Decrypts, **facts: Any) -> Route:
    """A provider's model under this name, with the provider's address, key and prices."""
    return Route(
        base_url=provider.base_url.rstrip("/"),
        upstream_model=upstream,
        name=name,
        kind=provider.kind,
        api_key=_key(provider.encrypted_key, secrets),
        provider_id=provider.id,
        prices=dict(provider.prices.get(upstream) or {}),
        **facts,
    )


def _key(sealed: str, secrets: Decrypts) -> str:
    return secrets.decrypt(sealed) if sealed else ""


class RouteLoader:
    """Reads within one session."""

    def __init__(self, session: Session, secrets: Decrypts) -> None:
        self.deployments = DeploymentRepository(session)
        self.secrets = secrets
        self.providers = {row.id: row for row in self.deployments.providers()}
        self.models = {row.id: row for row in self.deployments.models()}
        self.revisions = {row.id: row for row in self.deployments.ready_revisions()}

    def load(self) -> dict[str, ProjectRoutes]:
        """Every project's routes as they are now."""
        projects: dict[str, ProjectRoutes] = {}
        for deployment, release in self.deployments.newest_releases():
            found = projects.setdefault(deployment.project_id, ProjectRoutes())
            found.aliases[deployment.alias] = self._alias(deployment, release)
        for provider in self.providers.values():
            self._pass_through(projects.setdefault(provider.project_id, ProjectRoutes()), provider)
        return projects

    def _alias(self, deployment: Deployment, release: Release) -> Alias:
        shared = {"deployment_id": deployment.id, "timeout_s": deployment.rules.get("timeout_s")}
        standby = bool(deployment.rules.get("fallback", True))
        specs = [spec for spec in release.routes if standby or spec.get("revision_id") or spec.get("weight")]
        made = [self._route(deployment.alias, spec, shared) for spec in specs]
        routes = _in_order(route for route in made if route is not None)
        net = self._net(deployment, release, shared) if standby else None
        return Alias(routes, net, tuple(self._shadows(deployment, release, shared)))

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
        return provider_route(provider, alias, model.provider_model or model.name, self.secrets, **facts)

    def _pass_through(self, project: ProjectRoutes, provider: Provider) -> None:
        ids = {model.provider_model: model.id for model in self.models.values() if model.provider_id == provider.id}
        for name in provider.models:
            if name == "*":
                project.catch_all.setdefault(provider.kind, provider)
            elif (provider.kind, name) not in project.models:
                route = provider_route(provider, name, name, self.secrets, model_id=ids.get(name))
                project.models[provider.kind, name] = route


def _in_order(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Newest revision first, so that a sticky key moves to it at most once as its share grows."""
    return tuple(sorted(routes, key=lambda route: route.revision_id or "", reverse=True))
