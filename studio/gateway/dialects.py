"""Where servers differ from OpenAI: what is rewritten in a request, and what their errors mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from studio.capture.answer import error_text
from studio.gateway.errors import error_body

Fields = dict[str, Any]

REFUSED_KEY = (401, 403)


def for_dialect(dialect: str, fields: Fields) -> Fields:
    """The request in the words of this dialect."""
    rewrite = REWRITES.get(dialect)
    return rewrite(fields) if rewrite else fields


def _for_tgi(fields: Fields) -> Fields:
    """TGI takes a JSON schema as `{"type": "json_object", "value": schema}`."""
    wanted = fields.get("response_format")
    if not isinstance(wanted, dict):
        return fields
    if wanted.get("type") == "json_schema":
        described = wanted.get("json_schema")
        schema = described.get("schema") if isinstance(described, dict) else None
        return {**fields, "response_format": {"type": "json_object", "value": schema or {"type": "object"}}}
    if wanted.get("type") == "json_object" and "value" not in wanted:
        return {**fields, "response_format": {"type": "json_object", "value": {"type": "object"}}}
    return fields


REWRITES: dict[str, Callable[[Fields], Fields]] = {"tgi": _for_tgi}


def told_error(status: int, body: bytes) -> tuple[int, bytes]:
    """An upstream's error as the caller gets it: true, in OpenAI's form, never about a key they do not hold."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    said = (error_text(found) if isinstance(found, dict) else None) or body[:500].decode("utf-8", "replace")
    if status in REFUSED_KEY:
        message = (
            f"The model's server refused the studio's key ({status}). Check the provider's key under Settings,"
            " Providers; your own key is fine."
        )
        return 502, error_body(message, "upstream_error", "upstream_refused_key")
    if isinstance(found, dict) and isinstance(found.get("error"), dict) and status != 424:
        return status, body
    told = 502 if status == 424 else status  # TGI's 424 is a failed generation
    return told, error_body(said or f"The model's server answered {status}.", "upstream_error")
