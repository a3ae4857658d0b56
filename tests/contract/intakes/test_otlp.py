"""OTLP over HTTP as its specification says it: forms, packing, partial success, limits, and what becomes a call."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.contract.intakes.conftest import MODEL, Stand
from tests.fakes.wire_samples import SAID

TRACE, SPAN, ROOT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"
PROTOBUF = {"content-type": "application/x-protobuf"}


def value(found: Any) -> dict[str, Any]:
    if isinstance(found, bool):
        return {"boolValue": found}
    if isinstance(found, int):
        return {"intValue": str(found)}
    if isinstance(found, float):
        return {"doubleValue": found}
    if isinstance(found, list):
        return {"arrayValue": {"values": [value(item) for item in found]}}
    if isinstance(found, dict):
        return {"kvlistValue": {"values": attributes(found)}}
    return {"stringValue": found}


def attributes(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": value(item)} for name, item in found.items()]


def span(told: dict[str, Any], **more: Any) -> dict[str, Any]:
    base = {
        "traceId": TRACE,
        "spanId": SPAN,
        "name": "chat",
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000001500000000",
        "attributes": attributes(told),
    }
    return {**base, **more}


def export(*spans: dict[str, Any], **resource: Any) -> dict[str, Any]:
    scopes = [{"scope": {"name": "test"}, "spans": list(spans)}]
    return {"resourceSpans": [{"resource": {"attributes": attributes(resource)}, "scopeSpans": scopes}]}


def protobuf(body: dict[str, Any]) -> bytes:
    """The same as protobuf: there the ids are bytes, which protobuf's own JSON writes as base64."""
    text = json.loads(json.dumps(body))
    for spans in text["resourceSpans"]:
        for scope in spans["scopeSpans"]:
            for one in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in one:
                        one[name] = base64.b64encode(bytes.fromhex(one[name])).decode()
    return json_format.ParseDict(text, ExportTraceServiceRequest()).SerializeToString()


CURRENT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": MODEL,
    "gen_ai.response.model": f"{MODEL}-2026",
    "gen_ai.response.id": "chatcmpl-7",
    "gen_ai.request.temperature": 0.2,
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 7,
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "be brief"}]),
    "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "How cold?"}]}]),
    "gen_ai.output.messages": json.dumps(
        [{"role": "assistant", "parts": [{"type": "text", "content": "5 degrees"}], "finish_reason": "stop"}]
    ),
    "gen_ai.conversation.id": "conversation-1",
    "user.id": "user-1",
}


def post(stand: Stand, body: Any, path: str = "/v1/traces", **headers: str) -> Any:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {"content-type": "application/json", **{name.replace("_", "-"): told for name, told in headers.items()}}
    return stand.web.post(path, content=sent, headers=kind)


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/otlp/v1/traces", "/api/public/otel/v1/traces"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", ["json", "protobuf"])
def test_a_span_becomes_a_call_once(stand: Stand, path: str, packed: bool, form: str) -> None:
    body = export(span(CURRENT, parentSpanId=ROOT), **{"service.name": "shop"})
    sent = json.dumps(body).encode() if form == "json" else protobuf(body)
    headers = {"content_type": "application/json" if form == "json" else "application/x-protobuf"}
    if packed:
        sent, headers = gzip.compress(sent), {**headers, "content_encoding": "gzip"}
    for _ in range(2):
        answer = post(stand, sent, path, **headers)
        assert answer.status_code == 200, answer.text
        assert answer.content == (b"{}" if form == "json" else b"")
        assert answer.headers["content-type"] == headers["content_type"]
    call = stand.call()
    assert (call.trace_id, call.span_id, call.parent_span_id) == (TRACE, SPAN, ROOT)
    assert (call.session_id, call.user_id, call.external_id) == ("conversation-1", "user-1", "chatcmpl-7")
    assert (call.model, call.served_model, call.source) == (MODEL, f"{MODEL}-2026", "otlp")
    assert [message["content"] for message in call.messages] == ["be brief", "How cold?"]
    assert (call.reply["content"], call.finish_reason) == ("5 degrees", "stop")
    assert (call.prompt_tokens, call.completion_tokens, call.tokens_estimated) == (11, 7, False)
    assert (call.latency_ms, call.created_at.timestamp(), call.params["temperature"]) == (1500.0, 1.7e9, 0.2)
    assert call.tags == {"service": "shop"}


def test_spans_that_cannot_be_taken_are_counted_and_the_others_are_kept(stand: Stand) -> None:
    bad = [span(CURRENT, traceId="0" * 32), span(CURRENT, spanId="xyz"), span(CURRENT, startTimeUnixNano="soon")]
    answer = post(stand, export(*bad, span(CURRENT)))
    partial = answer.json()["partialSuccess"]
    assert (answer.status_code, partial["rejectedSpans"]) == (200, "3") and "trace id" in partial["errorMessage"]
    read = ExportTraceServiceResponse.FromString(
        stand.web.post("/v1/traces", content=protobuf(export(span(CURRENT, spanId="00" * 8))), headers=PROTOBUF).content
    )
    assert read.partial_success.rejected_spans == 1 and "span id" in read.partial_success.error_message
    assert stand.call().span_id == SPAN


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"\xff\xff\xff", PROTOBUF, 400),
        (b"{", {"content-type": "application/json"}, 400),
        (b'{"resourceSpans": 5}', {"content-type": "application/json"}, 400),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"{}", {"content-type": "application/json", "content-encoding": "zstd"}, 415),
        (b"no gzip", {"content-type": "application/json", "content-encoding": "gzip"}, 400),
        (gzip.compress(b"{}")[:-4], {"content-type": "application/json", "content-encoding": "gzip"}, 400),
        (gzip.compress(b" " * (40 << 20)), {"content-type": "application/json", "content-encoding": "gzip"}, 413),
        (b" " * (2 << 20), {"content-type": "application/json"}, 413),
    ],
    ids=["protobuf", "json", "shape", "kind", "packing", "no-gzip", "cut", "bomb", "large"],
)
def test_what_is_no_export_is_refused(stand: Stand, body: bytes, headers: dict[str, str], status: int) -> None:
    answer = stand.web.post("/v1/traces", content=body, headers=headers)
    assert answer.status_code == status and answer.content
    assert stand.calls() == []


def test_several_gzip_members_are_one_body(stand: Stand) -> None:
    sent = json.dumps(export(span(CURRENT))).encode()
    packed = gzip.compress(sent[:40]) + gzip.compress(sent[40:])
    assert post(stand, packed, content_encoding="gzip").status_code == 200
    assert stand.call().model == MODEL


def test_traces_need_a_key_that_may_report(stand: Stand) -> None:
    answer = stand.web.post("/v1/traces", content=b"", headers={**PROTOBUF, "authorization": "Bearer wk-wrong"})
    assert answer.status_code == 401
    pair = base64.b64encode(f"pk-lf-any:{stand.secret}".encode()).decode()
    swapped = base64.b64encode(f"{stand.secret}:sk-lf-any".encode()).decode()
    for shown in (pair, swapped):
        answer = stand.web.post("/v1/traces", content=b"", headers={**PROTOBUF, "authorization": f"Basic {shown}"})
        assert answer.status_code == 200


def test_spans_around_a_call_are_not_calls_but_say_whose_it_is(stand: Stand) -> None:
    agent = span(
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": MODEL, "session.id": "s-9", "user.id": "u-9"},
        spanId=ROOT,
    )
    tool = span({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather"}, spanId="1" * 16)
    inner = {name: told for name, told in CURRENT.items() if name not in ("user.id", "gen_ai.conversation.id")}
    assert post(stand, export(agent, tool, span(inner, parentSpanId=ROOT))).status_code == 200
    call = stand.call()
    assert (call.session_id, call.user_id, call.span_id) == ("s-9", "u-9", SPAN)


def test_a_call_told_by_a_framework_and_by_its_client_is_one(stand: Stand) -> None:
    outer = span({"openinference.span.kind": "LLM", "llm.model_name": MODEL, "input.value": "How cold?"}, spanId=ROOT)
    post(stand, export(outer, span(CURRENT, parentSpanId=ROOT)))
    assert stand.call().span_id == SPAN


EVENTS = [
    {"name": "gen_ai.system.message", "attributes": attributes({"content": "be brief"})},
    {"name": "gen_ai.user.message", "attributes": attributes({"content": "How cold?"})},
    {
        "name": "gen_ai.assistant.message",
        "attributes": attributes({"tool_calls": [{"id": "c1", "type": "function", "function": {"name": "t"}}]}),
    },
    {"name": "gen_ai.tool.message", "attributes": attributes({"content": "5C", "id": "c1"})},
    {
        "name": "gen_ai.choice",
        "attributes": attributes({"finish_reason": "stop", "message": {"role": "assistant", "content": "5 degrees"}}),
    },
]
BASE = {"gen_ai.system": "openai", "gen_ai.request.model": MODEL, "gen_ai.usage.prompt_tokens": 3}
NUMBERED = {
    "llm.request.type": "chat",
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "be brief",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": "How cold?",
    "gen_ai.prompt.2.role": "assistant",
    "gen_ai.prompt.2.tool_calls.0.id": "c1",
    "gen_ai.prompt.2.tool_calls.0.name": "t",
    "gen_ai.prompt.2.tool_calls.0.arguments": "{}",
    "gen_ai.prompt.3.role": "tool",
    "gen_ai.prompt.3.content": "5C",
    "gen_ai.prompt.3.tool_call_id": "c1",
    "gen_ai.prompt.10.role": "user",
    "gen_ai.prompt.10.content": "And now?",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "5 degrees",
    "gen_ai.completion.0.finish_reason": "stop",
    "llm.request.functions.0.name": "t",
    "llm.request.functions.0.parameters": '{"type": "object"}',
}
PROMPT_EVENTS = [
    {
        "name": "gen_ai.content.prompt",
        "attributes": attributes({"gen_ai.prompt": json.dumps([{"role": "user", "content": "How cold?"}])}),
    },
    {
        "name": "gen_ai.content.completion",
        "attributes": attributes({"gen_ai.completion": json.dumps([{"role": "assistant", "content": "5 degrees"}])}),
    },
]


@pytest.mark.parametrize(
    ("told", "events", "roles"),
    [
        (BASE, EVENTS, ["system", "user", "assistant", "tool"]),
        ({**BASE, **NUMBERED}, [], ["system", "user", "assistant", "tool", "user"]),
        (BASE, PROMPT_EVENTS, ["user"]),
    ],
    ids=["events-of-messages", "openllmetry-numbered", "events-of-content"],
)
def test_conventions_of_before(stand: Stand, told: dict[str, Any], events: list[Any], roles: list[str]) -> None:
    post(stand, export(span(told, events=events)))
    call = stand.call()
    assert [message["role"] for message in call.messages] == roles
    assert (call.reply["content"], call.prompt_tokens) == ("5 degrees", 3)
    if "tool" in roles:
        assert call.messages[2]["tool_calls"][0]["function"]["name"] == "t"
        assert call.messages[3]["tool_call_id"] == "c1"
    if len(roles) == 5:
        assert call.tools[0]["function"] == {"name": "t", "parameters": {"type": "object"}}


def test_a_failed_span_is_a_failed_call(stand: Stand) -> None:
    thrown = {"name": "exception", "attributes": attributes({"exception.message": "429: too many"})}
    told = {**BASE, "http.response.status_code": 429}
    post(stand, export(span(told, events=[thrown], status={"code": "STATUS_CODE_ERROR"})))
    call = stand.call()
    assert (call.status, call.http_status, call.error, call.reply) == ("error", 429, "429: too many", {})


def test_a_span_without_content_is_a_call_with_its_figures(stand: Stand) -> None:
    post(stand, export(span({**BASE, "gen_ai.usage.completion_tokens": 4, "gen_ai.usage.cost": 0.5})))
    call = stand.call()
    assert (call.messages, call.status, call.prompt_tokens, call.completion_tokens) == ([], "ok", 3, 4)
    assert call.cost_usd == 0.5


def test_parts_of_all_kinds_are_read(stand: Stand) -> None:
    parts = [
        {"type": "text", "content": "See"},
        {"type": "uri", "modality": "image", "uri": "https://x/y.png"},
        {"type": "blob", "modality": "image", "mime_type": "image/jpeg", "content": "AAAA"},
    ]
    output = [
        {"type": "reasoning", "content": "hm"},
        {"type": "tool_call", "id": "c1", "name": "t", "arguments": {"a": 1}},
    ]
    told = {
        **BASE,
        "gen_ai.input.messages": [{"role": "user", "parts": parts}],
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": output, "finish_reason": "tool_call"}]),
        "gen_ai.tool.definitions": json.dumps([{"type": "function", "name": "t", "parameters": {"type": "object"}}]),
    }
    post(stand, export(span(told)))
    call = stand.call()
    text, link, picture = call.messages[0]["content"]
    assert text == {"type": "text", "text": "See"} and link["image_url"]["url"] == "https://x/y.png"
    assert picture["image_url"]["url"] == "data:image/jpeg;base64,AAAA"
    assert call.reply["tool_calls"][0]["function"] == {"name": "t", "arguments": '{"a":1}'}
    assert call.reply["reasoning_content"] == "hm" and call.tools[0]["function"]["name"] == "t"


def test_embeddings_are_calls_of_their_endpoint(stand: Stand) -> None:
    told = {
        "openinference.span.kind": "EMBEDDING",
        "embedding.model_name": "embed",
        "embedding.embeddings.0.embedding.text": "hello",
    }
    post(stand, export(span(told)))
    call = stand.call()
    assert (call.endpoint, call.model) == ("embeddings", "embed") and "hello" in call.prompt_text


TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
TURNS = [
    {"role": "system", "content": "be brief"},
    {
        "role": "user",
        "content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "https://x/y"}}],
    },
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "5C"},
]


PROGRAM = """
import json, sys
from importlib import import_module

import openai
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

told = json.loads(sys.argv[1])
exporter = OTLPSpanExporter(told["url"], headers=told["headers"], compression=Compression.Gzip)
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
instrumentor = import_module(told["convention"] + ".instrumentation.openai").OpenAIInstrumentor()
instrumentor.instrument(tracer_provider=provider)
create = openai.OpenAI(base_url=told["upstream"], api_key="sk-provider", max_retries=0).chat.completions.create
model, turns = told["model"], told["turns"]
create(model=model, messages=turns, tools=told["tools"], temperature=0.2)
list(create(model=model, messages=turns[:1], stream=True, stream_options={"include_usage": True}))
try:
    create(model="busy", messages=turns[:1])
except openai.APIStatusError:
    provider.shutdown()
else:
    sys.exit("the busy model answered")
"""


@pytest.mark.parametrize("convention", ["openinference", "opentelemetry"])
def test_the_real_instrumentations_tell_tools_streams_and_failures(stand: Stand, convention: str) -> None:
    """In a process of its own: what instrumentations do to the client is not all undone."""
    told = {
        "url": f"{stand.url}/v1/traces",
        "headers": {"Authorization": f"Bearer {stand.secret}"},
        "upstream": f"{stand.upstream_url}/v1",
        "convention": convention,
        "model": MODEL,
        "turns": TURNS,
        "tools": TOOLS,
    }
    command = [sys.executable, "-c", PROGRAM, json.dumps(told)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    called, streamed, failed = stand.calls()
    assert [message["role"] for message in called.messages] == ["system", "user", "assistant", "tool"]
    assert called.messages[1]["content"][1]["image_url"]["url"] == "https://x/y"
    assert called.messages[2]["tool_calls"][0]["function"]["name"] == "weather"
    assert called.reply["tool_calls"][0]["function"]["name"] == "weather" and called.tools == TOOLS
    assert (called.params["temperature"], called.finish_reason) == (0.2, "tool_calls")
    assert streamed.reply["content"] == SAID and streamed.stream and (streamed.first_token_ms or 0) > 0
    assert (failed.status, failed.model) == ("error", "busy") and "Overloaded" in (failed.error or "")
