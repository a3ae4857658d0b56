"""LiteLLM: its StandardLoggingPayload as JSON lines, and rows of its spend logs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from studio.capture.importers import chat
from studio.capture.importers.fields import (
    amount,
    count,
    dict_of,
    first,
    id_of,
    json_of,
    known,
    list_of,
    moment,
    span_ms,
    text_of,
)
from studio.capture.importers.port import Call, NoCall, Refused, Said
from studio.capture.tags import clean_tags

CHATS = frozenset({"", "completion", "acompletion", "chat", "chat_completion"})
OTHER_KINDS = ("embedding", "image", "speech", "transcription", "moderation", "rerank")
NOT_STORED = (
    "There are no messages in this row. LiteLLM keeps them in spend logs only with"
    " general_settings: store_prompts_in_spend_logs: true."
)


class LiteLLM:
    """Rows of both forms."""

    label = "LiteLLM"
    example = '{"id": "...", "call_type": "acompletion", "response_cost": 0.0002, "messages": [...], "response": {...}}'

    def matches(self, row: dict[str, Any]) -> bool:
        """Its own names."""
        if "call_type" not in row:
            return False
        return "response_cost" in row or "spend" in row or "model_group" in row

    def read(self, row: dict[str, Any]) -> Iterable[Call | Said]:
        """The row's call."""
        kind = text_of(row.get("call_type"))
        if any(other in kind for other in OTHER_KINDS):
            raise NoCall(f"A call of the kind {kind} is no chat.")
        messages = json_of(row.get("messages"))
        if isinstance(messages, str) and messages.strip():
            messages = [chat.said("user", messages)]
        if not messages:
            raise Refused(NOT_STORED, "messages")
        beside = {**dict_of(row.get("model_parameters")), "model": _model(row)}
        request, meta = chat.asked(beside, chat.checked(messages)), _facts(row)
        if text_of(row.get("status")) == "failure" or _error(row):
            error = _error(row) or "The call failed."
            return [Call(request, {"error": {"message": error}}, {**meta, "status": "error", "error": error})]
        return [Call(request, chat.completion(json_of(row.get("response"))), meta)]


def _model(row: dict[str, Any]) -> str:
    return text_of(first(row, "model_group", "model"))


def _error(row: dict[str, Any]) -> str:
    return text_of(first(row, "error_str") or dict_of(row.get("error_information")).get("error_message"))


def _facts(row: dict[str, Any]) -> dict[str, Any]:
    start, end = moment(row.get("startTime"), "startTime"), moment(row.get("endTime"), "endTime")
    begun = moment(row.get("completionStartTime"), "completionStartTime") if row.get("stream") else None
    seconds = amount(row.get("response_time"), "response_time")
    metadata = dict_of(row.get("metadata"))
    return known(
        {
            "at": start,
            "external_id": id_of(first(row, "id", "request_id")),
            "trace_id": id_of(row.get("trace_id")),
            "session_id": id_of(row.get("session_id")),
            "user_id": id_of(first(row, "end_user") or metadata.get("user_api_key_end_user_id") or row.get("user")),
            "model": _model(row),
            "upstream_model": text_of(row.get("model")),
            "stream": bool(row.get("stream")) or None,
            "latency_ms": span_ms(start, end) or (seconds and seconds * 1000),
            "first_token_ms": span_ms(start, begun),
            "prompt_tokens": count(row.get("prompt_tokens"), "prompt_tokens"),
            "completion_tokens": count(row.get("completion_tokens"), "completion_tokens"),
            "cost_usd": amount(first(row, "response_cost", "spend"), "cost"),
            "tags": _tags(row, metadata),
        }
    )


def _tags(row: dict[str, Any], metadata: dict[str, Any]) -> dict[str, str]:
    """Request tags and the caller's own metadata; the proxy's own figures are not the caller's."""
    listed = {text_of(tag): True for tag in list_of(row.get("request_tags"))}
    own = dict_of(metadata.get("requester_metadata")) or {
        name: value
        for name, value in metadata.items()
        if not name.startswith(("user_api_key", "spend_logs", "usage_object"))
    }
    return clean_tags({**listed, **{name: value for name, value in own.items() if isinstance(value, str | int | bool)}})
