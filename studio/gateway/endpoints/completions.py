"""OpenAI's completions of a plain prompt."""

from __future__ import annotations

from studio.gateway.endpoints.chat import DONE, FAILURES, without_tags
from studio.gateway.endpoints.endpoint import Endpoint, Fields, openai_usage


def _lacking(fields: Fields) -> str | None:
    if not isinstance(fields.get("prompt"), str | list):
        return "`prompt` is missing: send a text, or a list of texts or token ids."
    return None


COMPLETIONS = Endpoint(
    name="completions",
    path="/v1/completions",
    upstream=b"/completions",
    lacking=_lacking,
    sent=without_tags,
    end=DONE,
    failures=FAILURES,
    usage=openai_usage(),
)
