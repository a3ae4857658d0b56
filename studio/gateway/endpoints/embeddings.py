"""OpenAI's embeddings."""

from __future__ import annotations

from studio.gateway.endpoints.chat import DONE, FAILURES, without_tags
from studio.gateway.endpoints.endpoint import Endpoint, Fields, openai_usage


def _lacking(fields: Fields) -> str | None:
    if not isinstance(fields.get("input"), str | list) or not fields["input"]:
        return "`input` is missing: send a text, or a list of texts or token ids."
    return None


EMBEDDINGS = Endpoint(
    name="embeddings",
    path="/v1/embeddings",
    upstream=b"/embeddings",
    lacking=_lacking,
    sent=without_tags,
    end=DONE,
    failures=FAILURES,
    usage=openai_usage(),
)
