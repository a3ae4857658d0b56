"""A routing table and keys in memory, for the gateway's tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from storage.tables import ApiKey
from studio.deploy.router import Route


@dataclass
class FakeTable:
    """Routes by name; every project sees all of them."""

    routes: dict[str, list[Route]]

    def pick(
        self, project_id: str, model_name: str, sticky_key: str | None = None, kind: str | None = None
    ) -> Route | None:
        found = [route for route in self.routes.get(model_name) or [] if kind in (None, route.kind)]
        return found[0] if found else None

    def fallbacks(self, route: Route) -> list[Route]:
        return self.routes[route.name][1:]

    def shadows(self, route: Route) -> list[tuple[Route, float]]:
        return []

    def names(self, project_id: str) -> list[str]:
        return sorted(self.routes)


@dataclass
class FakeKeys:
    """Knows its secrets, and counts how often it is asked."""

    secrets: dict[str, ApiKey] = field(default_factory=dict)
    asked: int = 0
    used: set[str] = field(default_factory=set)
    error: Exception | None = None

    def resolve(self, secret: str, /) -> ApiKey | None:
        self.asked += 1
        if self.error:
            raise self.error
        return self.secrets.get(secret)

    def mark_used(self, key_ids: Iterable[str], /) -> None:
        self.used |= set(key_ids)


def api_key(name: str = "k1", project: str = "p1") -> ApiKey:
    return ApiKey(id=name, project_id=project, name=name, prefix="wk-", key_hash=name)
