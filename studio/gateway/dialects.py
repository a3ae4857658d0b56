"""Where servers differ from OpenAI: what is rewritten in a request, and what their errors mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from studio.capture.wire.answer import error_text
from studio.deploy.router import Route
from studio.gateway.endpoints.chat import FAILURES
from studio.gateway.errors import OPENAI, ErrorForm

Fields = dict[str, Any]

COMPANYS_OWN = frozenset(
    {"store", "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"}
    | {"reasoning_effort", "verbosity"}
)
"""Fields of OpenAI's that a served model has no use for; the strict ones among servers refuse what they do not know."""
ANY_OBJECT: Fields = {"type": "object"}
REFUSED_KEY = (401, 403)
UNKNOWN = 404
MOVED = (
    "The model's server answered with a redirect, and the gateway sends calls and keys to no other address. Correct the"
    " provider's or the place's address under Settings (often http instead of https)."
)
ERROR_STARTS = (b'data: {"error"', b'data:{"error"', b"event: error", b"event:error", b'data: {"type":"error"')
LONGEST_ERROR = 1 << 16
EVENT_STARTS = (b"data:", b"event: error", b"event:error", b"event: response.failed")
"""How a stream may begin that is nothing but an error."""
FAILED = (424, 429)
"""A failed generation (TGI's 424) and a server with too much to do."""
EVENT_STATUS = {"validation": 422, "template_error": 422, "tool_error": 422, "overloaded": 429, "generation": 424}
"""TGI's kinds of errors as it tells them outside of streams."""
EVENT_STATUS |= {"overloaded_error": 529, "rate_limit_error": 429, "api_error": 500, "timeout_error": 504}
EVENT_STATUS |= {"invalid_request_error": 400, "authentication_error": 401, "permission_error": 403}
EVENT_STATUS |= {"not_found_error": 404, "request_too_large": 413, "rate_limit_exceeded": 429, "server_error": 500}
"""Anthropic's types of errors, and the codes of OpenAI's failed responses."""


def for_dialect(dialect: str, fields: Fields) -> Fields:
    """The request in the words of this dialect."""
    rewrite = REWRITES.get(dialect)
    return rewrite(fields) if rewrite else fields


def _for_tgi(fields: Fields) -> Fields:
    """Without what steers a company's own models: the caller wrote it for the model that answered before."""
    if not COMPANYS_OWN.isdisjoint(fields):
        fields = {name: value for name, value in fields.items() if name not in COMPANYS_OWN}
    return _tgi_format(fields)


def _tgi_format(fields: Fields) -> Fields:
    """TGI takes a JSON schema as `{"type": "json_object", "value": schema}`, and plain text by saying nothing."""
    wanted = fields.get("response_format")
    if not isinstance(wanted, dict):
        return fields
    if wanted.get("type") == "text":
        return {name: value for name, value in fields.items() if name != "response_format"}
    if wanted.get("type") == "json_schema" and "value" not in wanted:
        described = wanted.get("json_schema")
        schema = described.get("schema") if isinstance(described, dict) else None
        return {**fields, "response_format": {"type": "json_object", "value": schema or ANY_OBJECT}}
    if wanted.get("type") == "json_object" and "value" not in wanted:
        return {**fields, "response_format": {"type": "json_object", "value": ANY_OBJECT}}
    return fields


def _for_openai(fields: Fields) -> Fields:
    """Callers written for TGI (`huggingface_hub` rewrites schemas to its form) are understood by other servers too."""
    wanted = fields.get("response_format")
    if not isinstance(wanted, dict) or not isinstance(wanted.get("value"), dict):
        return fields
    value = wanted["value"]
    schema = value.get("schema", value) if wanted.get("type") == "json_schema" else value
    if wanted.get("type") not in ("json", "json_object", "json_schema"):
        return fields
    described = {"name": str(value.get("name") or "answer") if schema is not value else "answer", "schema": schema}
    return {**fields, "response_format": {"type": "json_schema", "json_schema": described}}


REWRITES: dict[str, Callable[[Fields], Fields]] = {"tgi": _for_tgi, "vllm": _for_openai}
REWRITES |= dict.fromkeys(("openai", "shared"), _for_openai)


def servers_fault(status: int, route: Route) -> bool:
    """Whether this reply is the server's failure, so that another route may do better; a caller's mistake is not.

    Behind an alias the studio chooses key and model name: a refused key or an unknown model is not the caller's either.
    """
    return (
        status in FAILED
        or status >= 500
        or 300 <= status < 400
        or bool(route.deployment_id and status in (*REFUSED_KEY, UNKNOWN))
    )


def begins_error(piece: bytes) -> bool:
    """Whether this may be the beginning of an error's event, of which the end is yet to come."""
    return piece.startswith(ERROR_STARTS) and not piece.endswith(b"\n") and len(piece) < LONGEST_ERROR


def error_event(piece: bytes, failures: tuple[bytes, ...] = FAILURES) -> tuple[int, bytes] | None:
    """Status and body of a stream that begins with an error: servers say 200 before they have looked at the request."""
    if not piece.startswith(EVENT_STARTS):
        return None
    line = next((line for line in piece.split(b"\n", 2)[:2] if line.startswith(failures)), b"")
    try:
        found = orjson.loads(line.partition(b":")[2])
    except orjson.JSONDecodeError:
        return None
    error = _error_of(found)
    told = error.get("http_status_code")
    if isinstance(told, int) and 400 <= told <= 599:
        return told, orjson.dumps(found)
    kinds = (found.get("error_type"), error.get("type"), error.get("code"))
    status = next((EVENT_STATUS[kind] for kind in kinds if isinstance(kind, str) and kind in EVENT_STATUS), 502)
    return status, orjson.dumps(found if "error" in found else {"error": error})


def _error_of(event: dict[str, Any]) -> Fields:
    """The error in an event: under its own name, inside of a failed response, or the event itself."""
    response = event.get("response")
    inner = response.get("error") if isinstance(response, dict) else None
    for found in (event.get("error"), inner):
        if isinstance(found, dict):
            return found
    return {} if "error" in event else {name: value for name, value in event.items() if name != "type"}


def told_error(status: int, body: bytes, route: Route | None = None, form: ErrorForm = OPENAI) -> tuple[int, bytes]:
    """An upstream's error as the caller gets it: true, in their form, never about a key or name they do not know."""
    if 300 <= status < 400:
        return 502, form.body(502, MOVED, "upstream_error", "upstream_moved")
    if status == UNKNOWN and route is not None and route.deployment_id:
        return 502, form.body(502, _lost(route), "upstream_error", "upstream_unknown_model")
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    said = (error_text(found) if isinstance(found, dict) else None) or body[:500].decode("utf-8", "replace")
    if status in REFUSED_KEY:
        return 502, form.body(502, _refused(status), "upstream_error", "upstream_refused_key")
    if isinstance(found, dict) and isinstance(found.get("error"), dict) and status != 424:
        return status, body
    told = 502 if status == 424 else status  # TGI's 424 is a failed generation
    return told, form.body(told, said or f"The model's server answered {status}.", "upstream_error", None)


def _refused(status: int) -> str:
    return (
        f"The model's server refused the studio's key ({status}). Check the provider's key under Settings,"
        " Providers; your own key is fine."
    )


def _lost(route: Route) -> str:
    return (
        f"The server of {route.name!r} does not know the model it is to serve ({route.upstream_model}). Look at the"
        " revision on Deploy."
    )
