"""Routes: who can answer a name, and which of an alias's routes a call gets."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from functools import cached_property

from storage.tables import Provider


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
    kind: str = "openai"
    """How it is spoken to: openai (and all who speak like it) or anthropic."""
    api_key: str = field(default="", repr=False)
    model_id: str | None = None
    deployment_id: str | None = None
    revision_id: str | None = None
    provider_id: str | None = None
    prices: dict[str, float] = field(default_factory=dict)
    """{"prompt", "completion", "cached", "cache_write"} in USD per million tokens; empty when unknown."""
    weight: float = 100.0
    """Share of the alias's calls; 0 is a standby that answers only when the others cannot."""
    timeout_s: float | None = None
    """Seconds to wait for its first byte while another route is left; None waits as long as for any upstream."""

    @property
    def key(self) -> str:
        """How traffic figures name it: the revision's id, or the model's for a provider's model."""
        return self.revision_id or self.model_id or ""


@dataclass(frozen=True)
class Alias:
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

    def speaking(self, kind: str | None) -> tuple[Route, ...]:
        """The routes that are spoken to in this way, by age."""
        return self.routes if kind is None else self._by_kind.get(kind, ())

    @cached_property
    def _by_kind(self) -> dict[str, tuple[Route, ...]]:
        kinds = {route.kind for route in self.routes}
        return {kind: tuple(route for route in self.routes if route.kind == kind) for kind in kinds}


@dataclass
class ProjectRoutes:
    """Every name that callers of one project may use."""

    aliases: dict[str, Alias] = field(default_factory=dict)
    models: dict[tuple[str, str], Route] = field(default_factory=dict)
    """By how they are spoken to, and by name."""
    catch_all: dict[str, Provider] = field(default_factory=dict)
    """Who gets every other name, by how they are spoken to."""


def openai_base(endpoint: str) -> str:
    """The OpenAI-style base of a server given by its root: with exactly one `/v1` at the end."""
    root = endpoint.rstrip("/")
    return root if root.endswith("/v1") else f"{root}/v1"


def position(key: str) -> float:
    """Where a sticky key falls on [0, 1); the same for every gateway replica."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64


def weighted(routes: tuple[Route, ...], sticky_key: str | None) -> Route | None:
    """One of the routes by their weights; the same key always lands alike."""
    total = sum(route.weight for route in routes)
    if total <= 0:
        return routes[0] if routes else None
    left = (position(sticky_key) if sticky_key else random.random()) * total
    for route in routes:
        left -= route.weight
        if left < 0:
            return route
    return next(route for route in reversed(routes) if route.weight > 0)
