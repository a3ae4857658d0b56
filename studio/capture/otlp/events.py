"""Events of the GenAI conventions that come as log records: the one that tells a whole call is read as its span is."""

from __future__ import annotations

from typing import Any

from studio.capture.otlp.span import ERROR, Export, Span, problem

DETAILS = "gen_ai.client.inference.operation.details"
OURS = "gen_ai."
NOT_READ = (
    "The event {name} is not read from logs: it is a part of a call without its model. Set"
    " OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental and"
    " OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY (or EVENT_ONLY) to have whole calls."
)


def take_event(
    export: Export,
    *,
    name: str,
    trace_id: str,
    span_id: str,
    at_ns: int,
    body: Any,
    attributes: dict[str, Any],
    resource: dict[str, Any],
) -> None:
    """Put the call that a log record tells of into the export; what is no event of GenAI is none of ours."""
    name = name or str(attributes.get("event.name") or "")
    if name != DETAILS:
        if name.startswith(OURS):
            export.refuse(NOT_READ.format(name=name[:60]))
        return
    told = {**body, **attributes} if isinstance(body, dict) else attributes
    status = ERROR if told.get("error.type") else 0
    span = Span(trace_id, span_id, "", name, at_ns, at_ns, told, status=status, resource=resource)
    if problem(span):  # an event stands for itself where it belongs to no span
        span = Span("", "", "", name, at_ns, at_ns, told, status=status, resource=resource)
    export.spans.append(span)
