"""RoutingTable: which server answers a call, read from the database in one go and then asked without touching it.

The gateway loads a new table about once a second and replaces the old one, so a release is in force within that time.
"""

from __future__ import annotations

from storage.database import Database
from studio.deploy.route_loader import Decrypts, RouteLoader, provider_route
from studio.deploy.routes import Alias, ProjectRoutes, Route, openai_base, position, weighted

KINDS = ("openai", "anthropic")
"""How servers are spoken to."""

__all__ = ["Route", "RoutingTable", "openai_base", "position"]


class RoutingTable:
    """Immutable once loaded; keys are in clear only here, in memory."""

    def __init__(self, projects: dict[str, ProjectRoutes], secrets: Decrypts) -> None:
        self._projects = projects
        self._secrets = secrets
        found = (alias for project in projects.values() for alias in project.aliases.values())
        self._aliases: dict[str | None, Alias] = {
            route.deployment_id: alias for alias in found for route in alias.order
        }

    @classmethod
    def load(cls, database: Database, secrets: Decrypts) -> RoutingTable:
        """Read releases, ready revisions and providers as they are now."""
        with database.read() as session:
            return cls(RouteLoader(session, secrets).load(), secrets)

    def pick(
        self, project_id: str, model_name: str, sticky_key: str | None = None, kind: str | None = None
    ) -> Route | None:
        """The route for one call: an alias by weight (the same key always lands alike), else a provider's model.

        Only servers that are spoken to in this way (openai or anthropic) are asked; None asks any.
        """
        project = self._projects.get(project_id)
        if project is None:
            return None
        alias = project.aliases.get(model_name)
        if alias is not None:
            net = alias.net if alias.net and kind in (None, alias.net.kind) else None
            return weighted(alias.speaking(kind), sticky_key) or net
        for wanted in KINDS if kind is None else (kind,):
            if route := project.models.get((wanted, model_name)) or self._forward(project, model_name, wanted):
                return route
        return None

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
        project = self._projects.get(project_id, ProjectRoutes())
        return [*sorted(project.aliases), *sorted({name for _, name in project.models} - set(project.aliases))]

    def _forward(self, project: ProjectRoutes, model_name: str, kind: str) -> Route | None:
        provider = project.catch_all.get(kind)
        if provider is None or not model_name:
            return None
        return provider_route(provider, model_name, model_name, self._secrets)
