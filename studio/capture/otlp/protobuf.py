"""Spans and events from protobuf, OTLP's usual form. Imported by a first export, because of protobuf's classes."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from studio.capture.otlp.events import take_event
from studio.capture.otlp.span import Event, Export, Span, problem


def read_protobuf(body: bytes) -> Export:
    """The spans of an export request. Raises ValueError when it is none."""
    message = ExportTraceServiceRequest()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise ValueError(f"The body is no ExportTraceServiceRequest in protobuf: {error}.") from error
    export = Export()
    for resource_spans in message.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for found in scope_spans.spans:
                _take(export, found, resource)
    return export


def read_protobuf_logs(body: bytes) -> Export:
    """The calls that log records tell of. Raises ValueError when it is no export request."""
    message = ExportLogsServiceRequest()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise ValueError(f"The body is no ExportLogsServiceRequest in protobuf: {error}.") from error
    export = Export()
    for resource_logs in message.resource_logs:
        resource = _attributes(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            for found in scope_logs.log_records:
                take_event(
                    export,
                    name=found.event_name,
                    trace_id=found.trace_id.hex(),
                    span_id=found.span_id.hex(),
                    at_ns=found.time_unix_nano or found.observed_time_unix_nano,
                    body=_value(found.body),
                    attributes=_attributes(found.attributes),
                    resource=resource,
                )
    return export


def _take(export: Export, found: Any, resource: dict[str, Any]) -> None:
    span = _span(found, resource)
    if reason := problem(span):
        export.refuse(reason)
    else:
        export.spans.append(span)


def _span(found: Any, resource: dict[str, Any]) -> Span:
    return Span(
        trace_id=found.trace_id.hex(),
        span_id=found.span_id.hex(),
        parent_id=found.parent_span_id.hex(),
        name=found.name,
        start_ns=found.start_time_unix_nano,
        end_ns=found.end_time_unix_nano,
        attributes=_attributes(found.attributes),
        events=tuple(Event(event.name, event.time_unix_nano, _attributes(event.attributes)) for event in found.events),
        status=found.status.code,
        status_message=found.status.message,
        resource=resource,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    found = getattr(value, kind)
    if kind == "array_value":
        return [_value(item) for item in found.values]
    if kind == "kvlist_value":
        return _attributes(found.values)
    return found.decode("utf-8", "replace") if kind == "bytes_value" else found
