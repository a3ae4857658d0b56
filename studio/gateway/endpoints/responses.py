"""OpenAI's responses."""

from __future__ import annotations

from studio.gateway.endpoints.endpoint import End, Endpoint, Fields, event_marks, token_usage
from studio.gateway.errors import RESPONSES as RESPONSES_ERRORS


def _lacking(fields: Fields) -> str | None:
    if not any(fields.get(name) for name in ("input", "prompt", "previous_response_id", "conversation")):
        return "`input` is missing: send a text, or a list of messages."
    return None


def _sent(fields: Fields) -> Fields:
    """Responses are stored unless told otherwise, and may have metadata either way."""
    return fields


RESPONSES = Endpoint(
    name="responses",
    path="/v1/responses",
    upstream=b"/responses",
    lacking=_lacking,
    sent=_sent,
    end=End(
        b"response.",
        event_marks("response.completed", "response.incomplete", "response.failed", "response.cancelled"),
        whole_line=True,
    ),
    failures=event_marks("error", "response.failed"),
    usage=token_usage(),
    errors=RESPONSES_ERRORS,
)
