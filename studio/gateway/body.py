"""A chat request: checked on the way in, rewritten for the upstream on the way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from studio.capture.tags import clean_tags, header_tags
from studio.deploy.router import Route
from studio.gateway.dialects import for_dialect
from studio.gateway.errors import ApiError, adapter_chosen
from studio.gateway.http import Request, parse

CLIENT_ROUTING = frozenset(
    {
        "api_base",
        "base_url",
        "api_key",
        "api_type",
        "api_version",
        "custom_llm_provider",
        "extra_headers",
        "headers",
        "fallbacks",
        "user_config",
        "model_list",
    }
)
"""Fields by which other proxies let a caller choose the server; never honoured here, never sent on."""
ADAPTER_CHOICE = ("adapter_id", "adapter_ids", "adapter_source", "lora", "lora_name", "lora_path", "lora_request")
"""Fields by which servers let a caller choose the weights; behind an alias the release alone does."""
STREAMING = frozenset({"stream", "stream_options"})
STICKY = ("user", "safety_identifier")
"""Fields that say who asks: the same person keeps the same revision."""


@dataclass(frozen=True)
class ChatBody:
    """What the caller asked."""

    raw: bytes
    fields: dict[str, Any]
    tags: dict[str, str]
    sticky_key: str | None

    @property
    def model(self) -> str:
        """The name asked for."""
        return str(self.fields["model"])

    @property
    def stream(self) -> bool:
        """Whether the answer is to be streamed."""
        return bool(self.fields.get("stream"))

    @classmethod
    def read(cls, raw: bytes, request: Request) -> ChatBody:
        """Check the body. Raises ApiError 400."""
        fields = parse(raw)
        if not isinstance(fields, dict):
            raise ApiError(400, "The body must be a JSON object with `model` and `messages`.")
        if not isinstance(fields.get("model"), str) or not fields["model"]:
            raise ApiError(400, "`model` is missing: name an alias or a provider's model (GET /v1/models lists them).")
        if not isinstance(fields.get("messages"), list) or not fields["messages"]:
            raise ApiError(400, "`messages` is missing: send a list with at least one message.")
        return cls(raw, fields, _tags(fields, request), _sticky_key(fields, request))

    def refuse_choice_of_weights(self, route: Route) -> None:
        """Raise ApiError 400 when the caller of an alias names an adapter: a server that lacks it would answer with
        other weights without a word.
        """
        if not route.deployment_id:
            return
        parameters = self.fields.get("parameters")
        for fields in (self.fields, parameters if isinstance(parameters, dict) else {}):
            for name in ADAPTER_CHOICE:
                if fields.get(name) is not None:
                    raise adapter_chosen(name, self.model)

    def for_route(self, route: Route) -> bytes:
        """The body to send upstream; the caller's own bytes when nothing has to change."""
        sent = self._sent(route)
        return self.raw if sent == self.fields else orjson.dumps(sent)

    def copy_for(self, route: Route) -> bytes:
        """The same request for a shadow: as asked, but answered in one piece."""
        return orjson.dumps({name: value for name, value in self._sent(route).items() if name not in STREAMING})

    def _sent(self, route: Route) -> dict[str, Any]:
        sent = {name: value for name, value in self.fields.items() if name not in CLIENT_ROUTING}
        if not sent.get("store"):
            sent.pop("metadata", None)  # OpenAI refuses metadata on calls it does not store; they are our tags
        sent["model"] = route.upstream_model
        return for_dialect(route.dialect, sent) if route.revision_id else sent


def _tags(fields: dict[str, Any], request: Request) -> dict[str, str]:
    metadata = fields.get("metadata")
    own = clean_tags(metadata) if isinstance(metadata, dict) else {}
    header = request.header(b"x-whetstone-tags")
    return own | header_tags(header) if header else own


def _sticky_key(fields: dict[str, Any], request: Request) -> str | None:
    named = (fields.get(name) for name in STICKY)
    user = next((value for value in named if isinstance(value, str) and value), "")
    return user or request.header(b"x-session-id") or None
