"""Portkey's custom logs: a request and a response with their bodies, and metadata."""

from __future__ import annotations

from typing import Any

from studio.capture.reported import Reported
from studio.capture.reports.fields import dict_of, endpoint_of, number_of, scalars, seconds_of, status_of, text_of

SOURCE = "portkey"
OWN = ("traceId", "spanId", "spanName", "parentSpanId", "_user", "_session", "requestTime")
USER = ("_user", "user")


def read_log(found: dict[str, Any]) -> Reported:
    """The logged call."""
    asked, said = dict_of(found.get("request")), dict_of(found.get("response"))
    told = dict_of(found.get("metadata"))
    request, response = dict_of(asked.get("body")), dict_of(said.get("body"))
    http_status = status_of(said.get("status"))
    span = text_of(told.get("spanId"))
    return Reported(
        source=SOURCE,
        request=request,
        response=response or None,
        endpoint=endpoint_of(request, response, "messages" if _is_anthropic(asked) else "chat"),
        same=f"{told.get('traceId')}/{span}" if span else None,
        at=seconds_of(said.get("requestTime")) or seconds_of(told.get("requestTime")),
        latency_ms=number_of(said.get("response_time")) or number_of(said.get("responseTime")) or 0.0,
        status="error" if http_status >= 400 else "ok",
        http_status=http_status,
        stream=request.get("stream") is True or said.get("streamingMode") is True,
        tags={name: value for name, value in scalars(told).items() if name not in OWN},
        external_id=text_of(response.get("id")),
        trace_id=text_of(told.get("traceId")),
        span_id=span,
        parent_span_id=text_of(told.get("parentSpanId")),
        session_id=text_of(told.get("_session")),
        user_id=next((user for name in USER if (user := text_of(told.get(name)))), None),
    )


def _is_anthropic(asked: dict[str, Any]) -> bool:
    return (text_of(asked.get("url")) or "").partition("?")[0].rstrip("/").endswith("/messages")
