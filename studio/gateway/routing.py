"""The routing table in force, loaded again every second beside the calls it serves."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from studio.deploy.router import Route
from studio.gateway.errors import ApiError, nothing_answers, speaks_otherwise, unknown_model

EVERY_S = 1.0

log = logging.getLogger(__name__)


class Table(Protocol):
    """What the gateway asks a routing table."""

    def pick(
        self, project_id: str, model_name: str, sticky_key: str | None = None, kind: str | None = None
    ) -> Route | None:
        """The route of one call, of those that are spoken to in this way."""
        ...

    def fallbacks(self, route: Route) -> list[Route]:
        """Others to try when it fails before its first byte."""
        ...

    def shadows(self, route: Route) -> Sequence[tuple[Route, float]]:
        """Who answers a copy of a call that this route has answered, each with its percentage."""
        ...

    def names(self, project_id: str) -> list[str]:
        """Names a caller may use."""
        ...


class Routing:
    """Keeps the newest table; while the database is away the last one stays in force."""

    def __init__(self, load: Callable[[], Table]) -> None:
        self._load = load
        self._table: Table | None = None
        self._failing = False
        self._loaded_at = 0.0

    @property
    def age_s(self) -> float | None:
        """Seconds since the table was loaded; None before the first one."""
        return time.monotonic() - self._loaded_at if self._table else None

    @property
    def table(self) -> Table:
        """The table in force. Raises ApiError 503 before the first one."""
        if self._table is None:
            message = "The gateway has no routes yet: the database does not answer. Try again in a moment."
            raise ApiError(503, message, "server_error", "starting")
        return self._table

    def pick(self, project_id: str, model: str, sticky_key: str | None, kind: str = "openai") -> Route:
        """The route of one call. Raises ApiError 404 with the names that exist, 400 for one whose servers speak
        otherwise, 503 for one that nothing answers.
        """
        route = self.table.pick(project_id, model, sticky_key, kind)
        if route is not None:
            return route
        if self.table.pick(project_id, model, sticky_key) is not None:
            raise speaks_otherwise(model, kind)
        known = self.table.names(project_id)
        raise nothing_answers(model) if model in known else unknown_model(model, known)

    async def refresh(self) -> None:
        """Load the table once."""
        try:
            self._table = await asyncio.to_thread(self._load)
            self._loaded_at, self._failing = time.monotonic(), False
        except Exception as error:  # whatever is wrong with the database or a row: calls go on with the last table
            if not self._failing:
                log.error("The routing table cannot be loaded; the last one stays in force: %s", error)
            self._failing = True

    async def keep_fresh(self) -> None:
        """Load the table every second, for ever."""
        while True:
            await self.refresh()
            await asyncio.sleep(EVERY_S)
