"""Portkey: exported logs (costs in cents, times in milliseconds), logs as they are pushed, and feedback by trace id."""

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
    number,
    text_of,
)
from studio.capture.importers.port import Call, Refused, Said
from studio.capture.tags import clean_tags

CENTS = 100
NO_REQUEST = "There is no `request`. Ask for the fields request and response when you make the export in Portkey."


class Portkey:
    """Rows of a logs export, and of a file of feedback."""

    label = "Portkey"
    example = '{"id": "...", "trace_id": "...", "request": {...}, "response": {...}, "cost": 0.02}'

    def matches(self, row: dict[str, Any]) -> bool:
        """Its own names."""
        if "trace_id" in row and any(
            name in row for name in ("ai_org", "ai_model", "req_units", "response_status_code")
        ):
            return True
        return _is_feedback(row) or _is_pushed(row)

    def read(self, row: dict[str, Any]) -> Iterable[Call | Said]:
        """The row's call, or its feedback for the call of the same trace."""
        if _is_feedback(row):
            return _feedback(row)
        return [_pushed(row) if _is_pushed(row) else _log(row)]


def _is_feedback(row: dict[str, Any]) -> bool:
    return "trace_id" in row and "value" in row and "request" not in row and "span_id" not in row


def _is_pushed(row: dict[str, Any]) -> bool:
    request, response = row.get("request"), row.get("response")
    return isinstance(request, dict) and isinstance(response, dict) and "body" in request and "provider" in request


def _log(row: dict[str, Any]) -> Call:
    request = dict_of(row.get("request"))
    request = dict_of(request.get("body")) or request
    if not list_of(request.get("messages")):
        raise Refused(NO_REQUEST, "request")
    cents = amount(row.get("cost"), "cost")
    meta = {
        "at": moment(row.get("created_at"), "created_at"),
        "external_id": id_of(row.get("id")),
        "trace_id": id_of(row.get("trace_id")),
        "model": text_of(first(request, "model") or row.get("ai_model")),
        "upstream_model": text_of(row.get("ai_model")),
        "prompt_tokens": count(row.get("req_units"), "req_units"),
        "completion_tokens": count(row.get("res_units"), "res_units"),
        "cost_usd": None if cents is None else cents / CENTS,
        "latency_ms": amount(row.get("response_time"), "response_time"),
        **_status(row.get("response_status_code")),
        **_told(dict_of(row.get("metadata")), row.get("prompt_slug")),
    }
    return _made(request, row.get("response"), known(meta))


def _pushed(row: dict[str, Any]) -> Call:
    """A row of `POST /logs`."""
    request, response, metadata = row["request"], row["response"], dict_of(row.get("metadata"))
    body = dict_of(request.get("body"))
    if not list_of(body.get("messages")):
        raise Refused(NO_REQUEST, "request.body")
    meta = {
        "at": moment(first(row, "created_at", "timestamp"), "created_at"),
        "trace_id": id_of(first(metadata, "traceId", "trace_id")),
        "span_id": id_of(first(metadata, "spanId", "span_id")),
        "model": text_of(body.get("model")),
        "latency_ms": amount(first(response, "response_time", "responseTime"), "response_time"),
        **_status(response.get("status")),
        **_told({name: value for name, value in metadata.items() if name not in TRACING}, None),
    }
    return _made(body, response.get("body"), known(meta))


TRACING = ("traceId", "spanId", "trace_id", "span_id", "parentSpanId", "spanName")


def _status(found: Any) -> dict[str, Any]:
    status = count(found, "response_status_code")
    return {"http_status": status} if status and 100 <= status < 600 else {}


def _told(metadata: dict[str, Any], prompt: Any) -> dict[str, Any]:
    user = id_of(first(metadata, "_user", "user"))
    tags = {name: value for name, value in metadata.items() if name != "_user"}
    return {"user_id": user, "tags": clean_tags({**tags, **({"prompt_slug": prompt} if prompt else {})})}


def _made(request: dict[str, Any], found: Any, meta: dict[str, Any]) -> Call:
    response = dict_of(found)
    response = dict_of(response.get("body")) or response
    if response.get("type") == "message":
        return Call(request, response, {**meta, "endpoint": "messages"})
    request = chat.asked(request, chat.checked(request["messages"], "request"))
    if meta.get("http_status", 200) >= 400:
        error = dict_of(response.get("error")) or {"message": text_of(first(response, "error", "message")) or "Failed."}
        return Call(request, {"error": error}, {**meta, "status": "error", "error": text_of(error.get("message"))})
    return Call(request, chat.completion(response), meta)


def _feedback(row: dict[str, Any]) -> list[Said]:
    """A value from -10 to 10: its sign is the thumb, the value itself a metric; the text a comment."""
    target = {"trace_id": text_of(row["trace_id"])[:200]}
    value, told = number(row["value"], "value"), dict_of(json_of(row.get("metadata")))
    if value is None:
        raise Refused("Feedback needs a `value` from -10 to 10.", "value")
    at, who = moment(first(row, "created_at", "timestamp"), "created_at"), text_of(told.get("_user"))[:200]
    own = text_of(row.get("id"))
    made = [Said("metric", value, name="portkey_feedback", given_by=who, at=at, id=own, target=target)]
    if value:
        made.append(Said("thumbs", float(value > 0), given_by=who, at=at, id=own and f"{own}-thumbs", target=target))
    if comment := text_of(first(told, "text", "comment")).strip():
        made.append(Said("comment", text=comment, given_by=who, at=at, id=own and f"{own}-text", target=target))
    return made
