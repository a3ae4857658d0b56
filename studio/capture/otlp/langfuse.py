"""Langfuse's SDK: observations of the type generation, exported by OpenTelemetry."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from studio.capture.otlp.content import choices_of, dicts, first, messages_of, parsed, text, tool
from studio.capture.otlp.llm import LlmSpan
from studio.capture.otlp.span import Span

OBSERVATION = "langfuse.observation."
ENDPOINTS = {"generation": "chat", "embedding": "embeddings"}
UNTOLD = (None, "", "Infinity")
"""Values by which the SDK says that a parameter was not set."""


def read_langfuse(span: Span) -> LlmSpan | None:
    """The call of a generation; None for other observations and other spans."""
    found = span.attributes
    endpoint = ENDPOINTS.get(text(found.get(f"{OBSERVATION}type")).lower())
    if endpoint is None:
        return None
    return generation(
        endpoint=endpoint,
        given=parsed(found.get(f"{OBSERVATION}input")),
        said=parsed(found.get(f"{OBSERVATION}output")),
        model=text(first(found, f"{OBSERVATION}model.name", "gen_ai.request.model")),
        params=parsed(found.get(f"{OBSERVATION}model.parameters")),
        usage=parsed(found.get(f"{OBSERVATION}usage_details")),
        cost=parsed(found.get(f"{OBSERVATION}cost_details")),
        first_token=moment_ns(parsed(found.get(f"{OBSERVATION}completion_start_time"))),
        finish_reason=text(parsed(found.get(f"{OBSERVATION}metadata.finish_reason"))),
    )


def generation(
    *,
    endpoint: str,
    given: Any,
    said: Any,
    model: str,
    params: Any,
    usage: Any,
    cost: Any,
    first_token: int | None,
    finish_reason: str = "",
) -> LlmSpan:
    """A generation, as spans and the older ingestion API tell it."""
    usage, cost = (value if isinstance(value, dict) else {} for value in (usage, cost))
    told = {name: value for name, value in params.items() if value not in UNTOLD} if isinstance(params, dict) else {}
    read = LlmSpan(
        endpoint=endpoint,
        model=model,
        params=told,
        prompt_tokens=first(usage, "input", "prompt_tokens", "promptTokens", "input_tokens"),
        completion_tokens=first(usage, "output", "completion_tokens", "completionTokens", "output_tokens"),
        cost_usd=first(cost, "total", "totalCost") if cost else first(usage, "totalCost", "total_cost"),
        first_token_ns=first_token,
        stream=first_token is not None,
    )
    if cost and read.cost_usd is None:
        read.cost_usd = sum(value for value in cost.values() if isinstance(value, int | float))
    if endpoint == "embeddings":
        read.params["input"] = given
        return read
    read.messages, read.choices = messages_of(given), choices_of(said)
    if isinstance(given, dict):
        read.tools = [tool(one) for one in dicts(given.get("tools"))]
    for made in read.choices:
        made["finish_reason"] = made.get("finish_reason") or finish_reason or None
    return read


def moment_ns(value: Any) -> int | None:
    """A moment as ISO 8601 writes it, in nanoseconds."""
    try:
        return int(datetime.fromisoformat(text(value)).timestamp() * 1e9)
    except ValueError:
        return None
