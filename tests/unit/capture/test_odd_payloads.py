"""Whatever comes from outside is read as far as it goes or refused with a reason; nothing of it is a crash."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from studio.capture import feedback_forms as forms
from studio.capture.feedback import GivenFeedback
from studio.capture.otlp.calls import calls_of
from studio.capture.otlp.events import DETAILS, take_event
from studio.capture.otlp.json_form import read_json, read_json_logs
from studio.capture.otlp.protobuf import read_protobuf, read_protobuf_logs
from studio.capture.otlp.span import Export, Span
from studio.capture.reported import Reported
from studio.capture.reports.helicone import read_log as read_manual
from studio.capture.reports.langfuse import read_generation
from studio.capture.reports.litellm import read_payload
from studio.capture.reports.openpipe import read_report
from studio.capture.reports.portkey import read_log
from studio.errors import InvalidInput
from studio.gateway.errors import ApiError
from studio.gateway.intakes.otlp import unpacked
from studio.gateway.intakes.taking import UNREADABLE

EXAMPLES = settings(max_examples=60)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    [
        *("gen_ai.operation.name", "gen_ai.request.model", "gen_ai.system", "gen_ai.input.messages", "gen_ai.prompt"),
        *("gen_ai.output.messages", "gen_ai.tool.definitions", "gen_ai.system_instructions", "gen_ai.prompt.0.role"),
        *("gen_ai.prompt.0", "gen_ai.prompt.0.tool_calls.0", "gen_ai.completion.1.content", "llm.request.type"),
        *("gen_ai.response.finish_reasons", "gen_ai.response.time_to_first_chunk", "events", "metadata", "tag.tags"),
        *("openinference.span.kind", "llm.input_messages.0.message", "llm.input_messages.0.message.contents.0"),
        *("llm.input_messages.x.message.role", "llm.tools.0.tool", "llm.tools.0.tool.json_schema", "input.value"),
        *("output.value", "llm.invocation_parameters", "embedding.embeddings.0", "langfuse.observation.type"),
        *("langfuse.observation.input", "langfuse.observation.output", "langfuse.observation.usage_details"),
        *("langfuse.observation.cost_details", "langfuse.observation.model.parameters", "langfuse.trace.tags"),
        *("langfuse.observation.completion_start_time", "langfuse.trace.metadata", "session.id", "user.id"),
        *("ai.operationId", "ai.prompt.messages", "ai.prompt.tools", "ai.prompt.toolChoice", "ai.values"),
        *("ai.response.text", "ai.response.toolCalls", "ai.response.finishReason", "ai.response.msToFirstChunk"),
        *("ai.telemetry.metadata.userId", "ai.telemetry.metadata", "ai.settings.maxOutputTokens", "ai.model.id"),
        *("event.name", "error.type"),
    ]
)
TOLD = st.sampled_from(
    [
        *("chat", "LLM", "EMBEDDING", "generation", "embeddings", '[{"role": 5}]', '{"messages": [1]}'),
        *("ai.generateText.doGenerate", "ai.streamText.doStream", "ai.embed.doEmbed", "ai.generateText"),
        '[{"role": [], "content": [{"type": "tool-result", "output": {"type": 1, "value": 2}}, {"type": "file"}]}]',
    ]
)
ATTRIBUTES = st.dictionaries(
    NAMES, TOLD | VALUES | VALUES.map(lambda value: json.dumps(value, default=str)), max_size=8
)


def keep(call: Reported) -> None:
    """What an intake does with a call: it may be refused here, for what no JSON can hold."""
    try:
        meta, (request, reply) = call.meta("p", "k", None, {}), call.bodies()
    except UNREADABLE:
        return
    json.dumps(meta, allow_nan=False)
    assert isinstance(json.loads(request), dict) and (not reply or json.loads(reply) is not None)


@EXAMPLES
@given(ATTRIBUTES, ATTRIBUTES)
def test_spans_with_odd_attributes(own: dict[str, Any], around: dict[str, Any]) -> None:
    spans = [
        Span("1" * 32, "1" * 16, "2" * 16, "inner", 1, 2, own),
        Span("1" * 32, "2" * 16, "1" * 16, "its parent and its child", 5, 2, around, status=2),
    ]
    for one in spans:
        try:
            calls = calls_of([one])
        except UNREADABLE:
            continue
        for call in calls:
            keep(call)


@EXAMPLES
@given(VALUES)
def test_odd_json_exports(found: Any) -> None:
    for body in (
        found,
        {"resourceSpans": [{"scopeSpans": [{"spans": [found, {"attributes": found, "events": found}]}]}]},
    ):
        try:
            export = read_json(body)
        except ValueError:
            continue
        assert export.spans == []


@EXAMPLES
@given(st.binary(max_size=200))
def test_odd_protobuf_exports(body: bytes) -> None:
    try:
        export = read_protobuf(body)
    except ValueError as error:
        assert "ExportTraceServiceRequest" in str(error)
    else:
        assert calls_of(export.spans) == []


@EXAMPLES
@given(ATTRIBUTES, VALUES)
def test_log_records_with_odd_attributes(told: dict[str, Any], body: Any) -> None:
    for name in (DETAILS, "gen_ai.choice", ""):
        export = Export()
        ids = {"trace_id": "1" * 32, "span_id": "2" * 16} if len(told) % 2 else {"trace_id": "x", "span_id": ""}
        take_event(export, name=name, at_ns=5, body=body, attributes=told, resource=told, **ids)
        try:
            calls = calls_of(export.spans)
        except UNREADABLE:
            continue
        for call in calls:
            keep(call)


@EXAMPLES
@given(VALUES)
def test_odd_json_logs(found: Any) -> None:
    record = {"eventName": DETAILS, "attributes": found, "body": found, "traceId": found, "timeUnixNano": found}
    for body in (found, {"resourceLogs": [{"resource": found, "scopeLogs": [{"logRecords": [found, record]}]}]}):
        try:
            export = read_json_logs(body)
        except ValueError:
            continue
        assert calls_of(export.spans) == []


@EXAMPLES
@given(st.binary(max_size=200))
def test_odd_protobuf_logs(body: bytes) -> None:
    try:
        export = read_protobuf_logs(body)
    except ValueError as error:
        assert "ExportLogsServiceRequest" in str(error)
    else:
        assert calls_of(export.spans) == []


@EXAMPLES
@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate", "", "br"]))
def test_odd_packing(body: bytes, encoding: str) -> None:
    try:
        assert len(unpacked(body, encoding, 1000)) <= 1000
    except ValueError as error:
        assert str(error)
    except ApiError as error:
        assert error.status in (413, 415)


def test_a_body_packed_in_very_many_parts_is_refused() -> None:
    """Each part costs a copy of what follows: a megabyte of empty parts would keep a core busy for minutes."""
    assert unpacked(gzip.compress(b"a") * 3, "gzip", 1000) == b"aaa"
    with pytest.raises(ValueError, match="too many parts"):
        unpacked(gzip.compress(b"") * 1000, "gzip", 1000)


KEYS = st.sampled_from(
    [
        *("id", "model", "messages", "response", "model_parameters", "metadata", "error_information", "startTime"),
        *("endTime", "status", "call_type", "stream", "request_tags", "reqPayload", "respPayload", "statusCode"),
        *("errorMessage", "requestedAt", "receivedAt", "tags", "request", "body", "url", "traceId", "spanId"),
        *("response_time", "input", "output", "usage", "usageDetails", "costDetails", "modelParameters", "level"),
        *("completionStartTime", "filters", "name", "value", "comment", "dataType", "timestamp", "observationId"),
        *("json", "textBody", "timeToFirstToken", "seconds", "milliseconds", "choices", "prompt"),
        *("sessionId", "trace_id", "weight", "rating", "scores", "key", "field", "equals"),
    ]
)
OBJECTS = st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES, max_size=5), max_size=10)


@EXAMPLES
@given(OBJECTS)
@pytest.mark.parametrize(
    "read",
    [
        *(read_payload, read_report, read_log, lambda found: read_generation(found, found)),
        lambda found: read_manual({"providerRequest": found, "providerResponse": found, "timing": found}, "chat", {}),
    ],
)
def test_odd_reports(read: Any, found: dict[str, Any]) -> None:
    try:
        call = read(found)
    except UNREADABLE:
        return
    keep(call)


@EXAMPLES
@given(OBJECTS)
def test_odd_feedback(found: dict[str, Any]) -> None:
    readers = [forms.portkey, forms.langfuse, lambda told: [forms.openpipe_tags(told)]]
    readers += [lambda told: forms.helicone_rating(told, "x"), lambda told: forms.helicone_scores(told, "x")]
    for read in readers:
        try:
            said = [GivenFeedback.read(one) for one in read(found)]
        except InvalidInput as error:
            assert str(error)
            continue
        assert all(one.names_a_call or one.model for one in said)


def test_values_nested_too_deeply_are_refused_alone() -> None:
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(100):
        value = {"arrayValue": {"values": [value]}}
    spans = [{"traceId": "1" * 32, "spanId": "1" * 16, "attributes": [{"key": "a", "value": value}]}]
    export = read_json({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
    assert (export.refused, export.spans) == (1, []) and "nested" in export.reason


def test_both_forms_of_a_span_say_the_same() -> None:
    values = [{"stringValue": "é"}, {"boolValue": True}, {"doubleValue": 0.5}, {"intValue": "9007199254740993"}]
    values.append({"kvlistValue": {"values": [{"key": "k", "value": {"arrayValue": {"values": [values[0]]}}}]}})
    told = [{"key": str(number), "value": value} for number, value in enumerate(values)]
    span = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "n", "startTimeUnixNano": "7", "attributes": told}
    span["events"] = [{"name": "e", "timeUnixNano": "9", "attributes": told}]  # type: ignore[assignment]
    body = {"resourceSpans": [{"resource": {"attributes": told}, "scopeSpans": [{"spans": [span]}]}]}
    [from_json] = read_json(body).spans
    message = json_format.ParseDict(
        {"resourceSpans": [{"resource": {"attributes": told}}]}, ExportTraceServiceRequest()
    )
    plain = {name: told for name, told in span.items() if not name.endswith("Id")}
    made = json_format.ParseDict(plain, message.resource_spans[0].scope_spans.add().spans.add())
    made.trace_id, made.span_id = bytes.fromhex("ab" * 16), bytes.fromhex("cd" * 8)
    assert read_protobuf(message.SerializeToString()).spans == [from_json]
    assert from_json.attributes["3"] == 9007199254740993 and from_json.attributes["4"] == {"k": ["é"]}
