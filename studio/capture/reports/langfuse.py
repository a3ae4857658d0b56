"""Langfuse's older ingestion API: batches of events that create and update traces, observations and scores."""

from __future__ import annotations

from typing import Any

from studio.capture.otlp.langfuse import generation, moment_ns
from studio.capture.reported import Reported
from studio.capture.reports.fields import dict_of, scalars, seconds_of, span_ms, text_of

SOURCE = "langfuse"
CREATED = ("generation-create", "observation-create")
UPDATED = ("generation-update", "observation-update")
TRACE, SCORE = "trace-create", "score-create"
FAILED = "ERROR"


def is_generation(event: dict[str, Any]) -> bool:
    """Whether an event says something of a generation."""
    kind, body = event.get("type"), dict_of(event.get("body"))
    if kind in ("generation-create", "generation-update"):
        return True
    return kind in (*CREATED, *UPDATED) and text_of(body.get("type")) in ("GENERATION", "EMBEDDING")


def is_over(body: dict[str, Any]) -> bool:
    """Whether a generation's answer has come, as far as its events tell."""
    return body.get("endTime") is not None or body.get("output") is not None or body.get("level") == FAILED


def merged(before: dict[str, Any], update: dict[str, Any]) -> dict[str, Any]:
    """What is known of an observation after another event about it."""
    return {**before, **{name: value for name, value in update.items() if value is not None}}


def read_generation(body: dict[str, Any], trace: dict[str, Any]) -> Reported:
    """The call of a generation, with what its trace says."""
    usage = dict_of(body.get("usageDetails")) or dict_of(body.get("usage"))
    began = body.get("completionStartTime")
    call = generation(
        endpoint="embeddings" if text_of(body.get("type")) == "EMBEDDING" else "chat",
        given=body.get("input"),
        said=body.get("output"),
        model=text_of(body.get("model")) or "",
        params=body.get("modelParameters"),
        usage=usage,
        cost=body.get("costDetails"),
        first_token=moment_ns(began) if began else None,
    )
    failed = body.get("level") == FAILED
    error = (text_of(body.get("statusMessage")) or "The call failed; its log does not say why.") if failed else None
    trace_id = text_of(body.get("traceId"))
    return Reported(
        source=SOURCE,
        request=call.request(),
        response=None if failed else call.response(),
        endpoint=call.endpoint,
        same=f"{trace_id}/{body.get('id')}",
        at=seconds_of(body.get("startTime")),
        latency_ms=span_ms(body.get("startTime"), body.get("endTime")),
        first_token_ms=span_ms(body.get("startTime"), began) if began else None,
        status="error" if failed else "ok",
        http_status=500 if failed else 200,
        error=error,
        stream=began is not None,
        tags=_tags(body, trace),
        external_id=text_of(body.get("id")),
        trace_id=trace_id,
        span_id=text_of(body.get("id")),
        parent_span_id=text_of(body.get("parentObservationId")),
        session_id=text_of(trace.get("sessionId")),
        user_id=text_of(trace.get("userId")),
        prompt_tokens=call.prompt_tokens,
        completion_tokens=call.completion_tokens,
        cost_usd=call.cost_usd,
    )


def _tags(body: dict[str, Any], trace: dict[str, Any]) -> dict[str, Any]:
    listed = trace.get("tags")
    tags: dict[str, Any] = {str(tag): "true" for tag in listed} if isinstance(listed, list) else {}
    named = {
        "trace_name": trace.get("name"),
        "release": trace.get("release"),
        "environment": body.get("environment") or trace.get("environment"),
        "prompt_name": body.get("promptName"),
        "prompt_version": body.get("promptVersion"),
    }
    told = {name: str(value) for name, value in named.items() if value is not None}
    return {**tags, **told, **scalars(trace.get("metadata")), **scalars(body.get("metadata"))}
