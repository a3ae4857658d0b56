"""Spans and events from JSON: protobuf's JSON form, but with ids as hex digits, as OTLP says."""

from __future__ import annotations

from typing import Any

from studio.capture.otlp.events import take_event
from studio.capture.otlp.span import Event, Export, Span, problem

STATUS = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
DEEPEST = 64


def read_json(found: Any) -> Export:
    """The spans of an export request. Raises ValueError when it is none."""
    if not isinstance(found, dict) or not isinstance(found.get("resourceSpans", []), list):
        raise ValueError("The body is no ExportTraceServiceRequest: it has no list `resourceSpans`.")
    export = Export()
    for resource_spans in _dicts(found.get("resourceSpans")):
        resource = _attributes(_dict(resource_spans.get("resource")).get("attributes"))
        for scope_spans in _dicts(resource_spans.get("scopeSpans")):
            for span in _list(scope_spans.get("spans")):
                _take(export, span, resource)
    return export


def read_json_logs(found: Any) -> Export:
    """The calls that log records tell of. Raises ValueError when it is no export request."""
    if not isinstance(found, dict) or not isinstance(found.get("resourceLogs", []), list):
        raise ValueError("The body is no ExportLogsServiceRequest: it has no list `resourceLogs`.")
    export = Export()
    for resource_logs in _dicts(found.get("resourceLogs")):
        resource = _attributes(_dict(resource_logs.get("resource")).get("attributes"))
        for scope_logs in _dicts(resource_logs.get("scopeLogs")):
            for record in _list(scope_logs.get("logRecords")):
                _take_record(export, record, resource)
    return export


def _take_record(export: Export, found: Any, resource: dict[str, Any]) -> None:
    try:
        take_event(
            export,
            name=str(found.get("eventName") or ""),
            trace_id=str(found.get("traceId") or "").lower(),
            span_id=str(found.get("spanId") or "").lower(),
            at_ns=int(found.get("timeUnixNano") or 0) or int(found.get("observedTimeUnixNano") or 0),
            body=_value(found.get("body"), DEEPEST),
            attributes=_attributes(found.get("attributes")),
            resource=resource,
        )
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        export.refuse(f"A log record cannot be read: {str(error)[:200]}.")


def _take(export: Export, found: Any, resource: dict[str, Any]) -> None:
    try:
        span = _span(found, resource)
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        export.refuse(f"A span cannot be read: {str(error)[:200]}.")
        return
    if reason := problem(span):
        export.refuse(reason)
    else:
        export.spans.append(span)


def _span(found: dict[str, Any], resource: dict[str, Any]) -> Span:
    status = _dict(found.get("status"))
    return Span(
        trace_id=str(found.get("traceId") or "").lower(),
        span_id=str(found.get("spanId") or "").lower(),
        parent_id=str(found.get("parentSpanId") or "").lower(),
        name=str(found.get("name") or ""),
        start_ns=int(found.get("startTimeUnixNano") or 0),
        end_ns=int(found.get("endTimeUnixNano") or 0),
        attributes=_attributes(found.get("attributes")),
        events=tuple(_event(event) for event in _dicts(found.get("events"))),
        status=_status(status.get("code")),
        status_message=str(status.get("message") or ""),
        resource=resource,
    )


def _event(found: dict[str, Any]) -> Event:
    return Event(
        str(found.get("name") or ""), int(found.get("timeUnixNano") or 0), _attributes(found.get("attributes"))
    )


def _status(code: Any) -> int:
    return STATUS.get(code, 0) if isinstance(code, str) else int(code or 0)


def _attributes(pairs: Any, left: int = DEEPEST) -> dict[str, Any]:
    return {str(pair["key"]): _value(pair.get("value"), left) for pair in _dicts(pairs) if "key" in pair}


def _value(value: Any, left: int) -> Any:
    if not left:
        raise ValueError("a value is nested too deeply")
    for kind, item in _dict(value).items():
        if kind == "intValue":
            return int(item)
        if kind == "doubleValue":
            return float(item)
        if kind == "arrayValue":
            return [_value(one, left - 1) for one in _list(_dict(item).get("values"))]
        if kind == "kvlistValue":
            return _attributes(_dict(item).get("values"), left - 1)
        return item
    return None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in _list(value) if isinstance(item, dict)]
