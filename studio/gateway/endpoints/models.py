"""GET /v1/models: the names that a key may use, as OpenAI's or as Anthropic's clients expect them."""

from __future__ import annotations

from typing import Any

from studio.gateway.errors import ANTHROPIC, ApiError, unknown_model
from studio.gateway.http import Request
from studio.gateway.keys import KeyCache
from studio.gateway.routing import Routing

EPOCH = "1970-01-01T00:00:00Z"


class Models:
    """GET /v1/models and GET /v1/models/{name}; any key may ask."""

    def __init__(self, keys: KeyCache, routing: Routing) -> None:
        self._keys = keys
        self._routing = routing

    async def __call__(self, request: Request) -> None:
        """Answer in the form of the caller's client."""
        is_anthropic = bool(request.header(b"anthropic-version"))
        try:
            found = await self._found(request, is_anthropic)
        except ApiError as error:
            if is_anthropic:
                error.form = ANTHROPIC
            raise
        await request.respond_json(200, found)

    async def _found(self, request: Request, is_anthropic: bool) -> dict[str, Any]:
        key = await self._keys.require(request)
        names = self._routing.table.names(key.project_id)
        form = _anthropics if is_anthropic else _openais
        if (name := request.parameters.get("name")) is not None:
            if self._routing.table.pick(key.project_id, name) is None:
                raise unknown_model(name, names)
            return form(name)
        data = [form(each) for each in names]
        if not is_anthropic:
            return {"object": "list", "data": data}
        first, last = (names[0], names[-1]) if names else (None, None)
        return {"data": data, "has_more": False, "first_id": first, "last_id": last}


def _openais(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "whetstone"}


def _anthropics(name: str) -> dict[str, Any]:
    return {"type": "model", "id": name, "display_name": name, "created_at": EPOCH}
