"""OpenPipe's reports: `reqPayload`, `respPayload` and tags, of OpenAI's or of Anthropic's calls."""

from __future__ import annotations

from typing import Any

from studio.capture.reported import Reported
from studio.capture.reports.fields import dict_of, scalars, seconds_of, span_ms, status_of, text_of

SOURCE = "openpipe"
PREFIXES = ("openpipe:", "openai:", "anthropic:", "gemini:")
"""What OpenPipe's client puts before a model's name to say who answers."""
OWN_TAGS = "$sdk"


def plain_model(name: str) -> str:
    """A model's name without the prefix."""
    return next((name.removeprefix(prefix) for prefix in PREFIXES if name.startswith(prefix)), name)


def read_report(found: dict[str, Any], endpoint: str = "chat") -> Reported:
    """The reported call."""
    request, response = dict(dict_of(found.get("reqPayload"))), dict_of(found.get("respPayload"))
    metadata = scalars(request.pop("metadata", None))
    request["model"] = plain_model(text_of(request.get("model")) or text_of(response.get("model")) or "")
    http_status = status_of(found.get("statusCode"))
    error = text_of(found.get("errorMessage")) if http_status >= 400 or not response else None
    told = {**metadata, **scalars(found.get("tags")), **scalars(found.get("metadata"))}
    return Reported(
        source=SOURCE,
        request=request,
        response=response or None,
        endpoint=endpoint,
        at=seconds_of(found.get("requestedAt")),
        latency_ms=span_ms(found.get("requestedAt"), found.get("receivedAt")),
        status="error" if error or http_status >= 400 else "ok",
        http_status=http_status,
        error=error,
        stream=request.get("stream") is True,
        tags={name: value for name, value in told.items() if not name.startswith(OWN_TAGS)},
        user_id=text_of(request.get("user")),
    )
