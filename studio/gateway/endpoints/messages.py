"""Anthropic's messages, and the count of their tokens."""

from __future__ import annotations

from dataclasses import replace

from studio.gateway.endpoints.endpoint import End, Endpoint, Fields, event_marks, token_usage
from studio.gateway.errors import ANTHROPIC


def _lacking(fields: Fields) -> str | None:
    if not isinstance(fields.get("messages"), list) or not fields["messages"]:
        return "`messages` is missing: send a list with at least one message."
    return None


def _sent(fields: Fields) -> Fields:
    """Anthropic knows only the user's id in `metadata`, and refuses anything else; the rest are our tags."""
    found = fields.get("metadata")
    if isinstance(found, dict) and not found.keys() <= {"user_id"}:
        kept = {name: value for name, value in found.items() if name == "user_id"}
        fields.pop("metadata")
        return {**fields, "metadata": kept} if kept else fields
    return fields


MESSAGES = Endpoint(
    name="messages",
    path="/v1/messages",
    upstream=b"/messages",
    lacking=_lacking,
    sent=_sent,
    end=End(b"message_stop", event_marks("message_stop"), whole_line=True),
    failures=event_marks("error"),
    usage=token_usage(),
    kind="anthropic",
    errors=ANTHROPIC,
    queries=("beta=true",),
)
COUNT_TOKENS = replace(MESSAGES, path="/v1/messages/count_tokens", upstream=b"/messages/count_tokens", recorded=False)
"""Asks nothing of a model, so it is passed on and not recorded."""
