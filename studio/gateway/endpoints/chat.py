"""OpenAI's chat completions."""

from __future__ import annotations

from studio.gateway.endpoints.endpoint import End, Endpoint, Fields, openai_usage

DONE = End(b"[DONE]", (b"\ndata: [DONE]", b"\ndata:[DONE]"))
FAILURES = (b'data: {"error"', b'data:{"error"')


def _lacking(fields: Fields) -> str | None:
    if not isinstance(fields.get("messages"), list) or not fields["messages"]:
        return "`messages` is missing: send a list with at least one message."
    return None


def without_tags(fields: Fields) -> Fields:
    """OpenAI refuses `metadata` on calls that it does not store; they are our tags."""
    if not fields.get("store"):
        fields.pop("metadata", None)
    return fields


CHAT = Endpoint(
    name="chat",
    path="/v1/chat/completions",
    upstream=b"/chat/completions",
    lacking=_lacking,
    sent=without_tags,
    end=DONE,
    failures=FAILURES,
    usage=openai_usage(),
    is_chat=True,
)
