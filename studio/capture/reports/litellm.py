"""LiteLLM's StandardLoggingPayload, as its `generic_api` callback sends it."""

from __future__ import annotations

from typing import Any

from studio.capture.otlp.content import messages_of
from studio.capture.reported import Reported, amount
from studio.capture.reports.fields import dict_of, scalars, seconds_of, span_ms, status_of, text_of

SOURCE = "litellm"
ENDPOINTS = {"embedding": "embeddings", "aembedding": "embeddings"}
NO_CALLS = ("image", "transcription", "speech", "moderation", "rerank", "file", "batch", "vector_store", "list_", "ocr")
"""Kinds of calls that have no messages."""


def is_call(found: dict[str, Any]) -> bool:
    """Whether a payload tells of a call with messages or an embedding."""
    kind = (text_of(found.get("call_type")) or "").removeprefix("a")
    return not any(word in kind for word in NO_CALLS)


def read_payload(found: dict[str, Any]) -> Reported:
    """The call that a payload tells of."""
    failed = found.get("status") == "failure"
    error = dict_of(found.get("error_information"))
    streamed = found.get("stream") is True
    metadata = dict_of(found.get("metadata"))
    user = text_of(found.get("end_user")) or text_of(dict_of(found.get("model_parameters")).get("user"))
    return Reported(
        source=SOURCE,
        request=_request(found),
        response=None if failed else dict_of(found.get("response")) or None,
        endpoint=_endpoint(found),
        same=text_of(found.get("litellm_call_id")) or text_of(found.get("id")),
        at=seconds_of(found.get("startTime")),
        latency_ms=span_ms(found.get("startTime"), found.get("endTime")),
        first_token_ms=span_ms(found.get("startTime"), found.get("completionStartTime")) if streamed else None,
        status="error" if failed else "ok",
        http_status=status_of(_number(error.get("error_code")), 500 if failed else 200),
        error=(text_of(found.get("error_str")) or text_of(error.get("error_message"))) if failed else None,
        stream=streamed,
        tags=_tags(found, metadata),
        external_id=text_of(found.get("id")),
        trace_id=text_of(found.get("trace_id")),
        session_id=text_of(found.get("session_id")),
        user_id=user or text_of(metadata.get("user_api_key_end_user_id")),
        prompt_tokens=_tokens(found.get("prompt_tokens")),
        completion_tokens=_tokens(found.get("completion_tokens")),
        cost_usd=amount(found.get("response_cost")),
    )


def _endpoint(found: dict[str, Any]) -> str:
    """By the kind of call, and by whose form its answer has."""
    response = dict_of(found.get("response"))
    if response.get("object") == "response":
        return "responses"
    if response.get("type") == "message" and isinstance(response.get("content"), list):
        return "messages"
    return ENDPOINTS.get(text_of(found.get("call_type")) or "", "chat")


def _request(found: dict[str, Any]) -> dict[str, Any]:
    model = text_of(found.get("model_group")) or text_of(found.get("model")) or ""
    given: dict[str, Any] = {"messages": messages_of(found.get("messages"))}
    if _endpoint(found) in ("embeddings", "responses"):
        given = {"input": found.get("messages")}
    return {"model": model, **dict_of(found.get("model_parameters")), **given}


def _tags(found: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    listed = found.get("request_tags")
    tags = {str(tag): "true" for tag in listed} if isinstance(listed, list) else {}
    key = text_of(metadata.get("user_api_key_alias"))
    named = {"key_alias": key, "team": text_of(metadata.get("user_api_key_team_alias"))}
    own = {**scalars(metadata.get("spend_logs_metadata")), **scalars(metadata.get("requester_metadata"))}
    return {**tags, **{name: value for name, value in named.items() if value}, **own}


def _tokens(value: Any) -> int | None:
    """LiteLLM says 0 where it knows nothing."""
    return value if isinstance(value, int) and value > 0 else None


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 5 else value
