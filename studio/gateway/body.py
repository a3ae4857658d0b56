"""A request to a model: checked on the way in, rewritten for the upstream on the way out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from studio.capture.tags import clean_tags
from studio.deploy.router import Route
from studio.gateway.dialects import for_dialect
from studio.gateway.endpoints.chat import CHAT
from studio.gateway.endpoints.endpoint import Endpoint
from studio.gateway.errors import ApiError, adapter_chosen
from studio.gateway.facts import facts_of, header_tags_of
from studio.gateway.http import Request, parse
from studio.gateway.intakes.headers import TAGS, UNRECORDED, vendor_facts
from studio.gateway.origins import without_routing

ADAPTER_CHOICE = ("adapter_id", "adapter_ids", "adapter_source", "lora", "lora_name", "lora_path", "lora_request")
"""Fields by which servers let a caller choose the weights; behind an alias the release alone does."""
STREAMING = frozenset({"stream", "stream_options"})
STICKY = ("user", "safety_identifier")
"""Fields that say who asks: the same person keeps the same revision."""


@dataclass(slots=True)
class Body:
    """What the caller asked."""

    raw: bytes
    fields: dict[str, Any]
    tags: dict[str, str]
    sticky_key: str | None
    endpoint: Endpoint = CHAT
    facts: dict[str, Any] = field(default_factory=dict)
    """What headers say of the call: session_id, trace_id, parent_span_id."""
    unwanted: bool = False
    """Whether the caller asked that this call is not recorded."""

    @property
    def model(self) -> str:
        """The name asked for."""
        return self.endpoint.model_of(self.fields)

    @property
    def is_recorded(self) -> bool:
        """Whether the call goes into the journal."""
        return self.endpoint.recorded and not self.unwanted

    @property
    def stream(self) -> bool:
        """Whether the answer is to be streamed."""
        return bool(self.fields.get("stream"))

    @classmethod
    def read(cls, raw: bytes, request: Request, endpoint: Endpoint = CHAT) -> Body:
        """Check the body. Raises ApiError 400."""
        fields = parse(raw)
        if not isinstance(fields, dict):
            raise ApiError(400, "The body must be a JSON object with `model` and what to ask it.")
        if not isinstance(fields.get("model"), str) or not fields["model"]:
            raise ApiError(400, "`model` is missing: name an alias or a provider's model (GET /v1/models lists them).")
        if lack := endpoint.lacking(fields):
            raise ApiError(400, lack)
        facts, tags, unwanted = facts_of(request), _tags(fields, request), False
        if vendor := vendor_facts(request):
            tags |= clean_tags(vendor.pop(TAGS, {}))
            unwanted = bool(vendor.pop(UNRECORDED, False))
            facts |= vendor
        return cls(raw, fields, tags, _sticky_key(fields, facts), endpoint, facts, unwanted)

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
        sent = self.endpoint.sent(without_routing(self.fields))
        sent["model"] = route.upstream_model
        return for_dialect(route.dialect, sent) if route.revision_id and self.endpoint.is_chat else sent


def _tags(fields: dict[str, Any], request: Request) -> dict[str, str]:
    metadata = fields.get("metadata")
    own = clean_tags(metadata) if isinstance(metadata, dict) else {}
    header = header_tags_of(request)
    return own | header if header else own


def _sticky_key(fields: dict[str, Any], facts: dict[str, Any]) -> str | None:
    for name in STICKY:
        if isinstance(user := fields.get(name), str) and user:
            return user
    metadata = fields.get("metadata")
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    return user if isinstance(user, str) and user else facts.get("session_id")
