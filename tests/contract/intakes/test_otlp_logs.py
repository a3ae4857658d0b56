"""OTLP's logs: the event that tells a whole call becomes one; what is not read is told in the answer."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

from storage.repositories.log_hours import LogHourRepository
from tests.contract.intakes.conftest import MODEL, Stand
from tests.contract.intakes.test_otlp import CURRENT, PROTOBUF, ROOT, SPAN, TRACE, attributes, export, post, span
from tests.contract.intakes.test_privacy import KEY, everything
from tests.fakes.wire_samples import SAID

DETAILS = "gen_ai.client.inference.operation.details"


def event(told: dict[str, Any], name: str = DETAILS, **more: Any) -> dict[str, Any]:
    base = {"timeUnixNano": "1700000000000000000", "eventName": name, "traceId": TRACE, "spanId": SPAN}
    return {**base, "attributes": attributes(told), **more}


def logs(*records: dict[str, Any], **resource: Any) -> dict[str, Any]:
    scopes = [{"scope": {"name": "test"}, "logRecords": list(records)}]
    return {"resourceLogs": [{"resource": {"attributes": attributes(resource)}, "scopeLogs": scopes}]}


def protobuf(body: dict[str, Any]) -> bytes:
    text = json.loads(json.dumps(body))
    for record in text["resourceLogs"][0]["scopeLogs"][0]["logRecords"]:
        for name in ("traceId", "spanId"):
            record[name] = base64.b64encode(bytes.fromhex(record[name])).decode()
    return json_format.ParseDict(text, ExportLogsServiceRequest()).SerializeToString()


@pytest.mark.parametrize("path", ["/v1/logs", "/v1/otlp/v1/logs"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", ["json", "protobuf"])
def test_an_event_and_its_span_are_one_call(stand: Stand, path: str, packed: bool, form: str) -> None:
    body = logs(event(CURRENT), **{"service.name": "shop"})
    sent = json.dumps(body).encode() if form == "json" else protobuf(body)
    headers = {"content_type": "application/json" if form == "json" else "application/x-protobuf"}
    if packed:
        sent, headers = gzip.compress(sent), {**headers, "content_encoding": "gzip"}
    for _ in range(2):
        answer = post(stand, sent, path, **headers)
        assert (answer.status_code, answer.content) == (200, b"{}" if form == "json" else b""), answer.text
    post(stand, export(span(CURRENT), **{"service.name": "shop"}))  # its span tells the same call
    call = stand.call()
    assert (call.trace_id, call.span_id, call.source, call.model) == (TRACE, SPAN, "otlp", MODEL)
    assert [message["content"] for message in call.messages] == ["be brief", "How cold?"]
    assert (call.reply["content"], call.finish_reason, call.user_id) == ("5 degrees", "stop", "user-1")
    assert (call.prompt_tokens, call.completion_tokens, call.tags) == (11, 7, {"service": "shop"})


CONTENT = ("gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages")


@pytest.mark.parametrize("apart", [True, False], ids=["in-two-batches", "in-one-batch"])
@pytest.mark.parametrize("first", ["span", "event"])
def test_a_span_and_the_event_with_its_messages_are_joined_in_either_order(
    stand: Stand, first: str, apart: bool
) -> None:
    bare = {name: told for name, told in CURRENT.items() if name not in CONTENT}
    traced = ("/v1/traces", export(span(bare, parentSpanId=ROOT), **{"service.name": "shop"}))
    told = ("/v1/logs", logs(event({**CURRENT, "gen_ai.request.top_p": 0.5}, timeUnixNano="1700000001500000000")))
    given: Any = {"kind": "thumbs", "value": 1, "trace_id": TRACE, "span_id": SPAN}
    for path, body in [traced, told, traced] if first == "span" else [told, traced, told]:
        assert post(stand, body, path).json() == {}
        if apart:
            stand.calls()
            assert stand.web.post("/v1/feedback", json={**given, "feedback_id": "f"}).status_code == 202
            stand.calls()
    call = stand.call()
    assert [message["content"] for message in call.messages] == ["be brief", "How cold?"]
    assert (call.reply["content"], call.params["top_p"], call.external_id) == ("5 degrees", 0.5, "chatcmpl-7")
    assert (call.prompt_text, call.prompt_tokens, call.completion_tokens) == ("How cold?", 11, 7)
    assert (call.latency_ms, call.created_at.timestamp(), call.parent_span_id) == (1500.0, 1.7e9, ROOT)
    assert call.tags == {"service": "shop"}
    if apart:
        assert call.rating == "up" and len(stand.feedback(call)) == 1
    with stand.database.read() as session:
        totals = LogHourRepository(session).totals(stand.project.id, None)
    assert (totals[0], totals[2], totals[3]) == (1, 11, 7)


def test_an_event_without_a_span_is_a_call_however_often_it_is_sent(stand: Stand) -> None:
    alone, other = (event({**CURRENT, "gen_ai.response.id": name}) for name in ("a", "b"))
    for record in (alone, other):
        del record["traceId"], record["spanId"]
    failed = event({**BARE, "error.type": "RateLimit"}, spanId="1" * 16)
    for _ in range(2):
        assert post(stand, logs(alone, other, failed), "/v1/logs").json() == {}
    first, second, third = stand.calls()
    assert (first.span_id, second.span_id, third.status) == (None, None, "error")
    assert (first.external_id, second.external_id, third.error) == ("a", "b", "RateLimit")


BARE = {"gen_ai.operation.name": "chat", "gen_ai.request.model": MODEL}


def test_what_is_not_read_is_told_and_the_rest_is_kept(stand: Stand) -> None:
    part = event({"gen_ai.system": "openai", "content": "How cold?"}, "gen_ai.user.message")
    named = event({"event.name": "gen_ai.choice"}, "")
    ordinary = event({"http.route": "/"}, "", body={"stringValue": "GET /"})
    answer = post(stand, logs(part, named, ordinary, event(CURRENT)), "/v1/logs")
    partial = answer.json()["partialSuccess"]
    assert (answer.status_code, partial["rejectedLogRecords"]) == (200, "2")
    assert "gen_ai.user.message is not read" in partial["errorMessage"] and "SPAN_ONLY" in partial["errorMessage"]
    sent = stand.web.post("/v1/logs", content=protobuf(logs(part)), headers=PROTOBUF).content
    read = ExportLogsServiceResponse.FromString(sent)
    assert read.partial_success.rejected_log_records == 1 and "not read" in read.partial_success.error_message
    assert stand.call().span_id == SPAN


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"\xff\xff\xff", PROTOBUF, 400),
        (b"{", {"content-type": "application/json"}, 400),
        (b'{"resourceLogs": 5}', {"content-type": "application/json"}, 400),
        (b'{"resourceLogs": []}', {"content-type": "text/plain"}, 415),
        (gzip.compress(b"[]"), {"content-type": "application/json", "content-encoding": "gzip"}, 400),
        (gzip.compress(b" " * (40 << 20)), {"content-type": "application/json", "content-encoding": "gzip"}, 413),
        (b" " * (2 << 20), {"content-type": "application/json"}, 413),
        (b"", {**PROTOBUF, "authorization": "Bearer wk-wrong"}, 401),
    ],
    ids=["protobuf", "json", "shape", "kind", "list", "bomb", "large", "key"],
)
def test_what_is_no_export_of_logs_is_refused(stand: Stand, body: bytes, headers: dict[str, str], status: int) -> None:
    answer = stand.web.post("/v1/logs", content=body, headers=headers)
    assert answer.status_code == status and answer.content
    assert stand.calls() == []


def test_events_are_cleaned_before_they_are_written(stand: Stand) -> None:
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": f"My key is {KEY}."}]}])
    told = {**CURRENT, "gen_ai.input.messages": said, "session.id": KEY}
    assert post(stand, logs(event(told)), "/v1/logs").status_code == 200
    assert KEY not in everything(stand) and "My key is" in everything(stand)


PROGRAM = """
import json, sys

import openai
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider

told = json.loads(sys.argv[1])
logs = LoggerProvider()
exporter = OTLPLogExporter(told["url"], headers=told["headers"], compression=Compression.Gzip)
logs.add_log_record_processor(BatchLogRecordProcessor(exporter))
OpenAIInstrumentor().instrument(tracer_provider=TracerProvider(), logger_provider=logs)
client = openai.OpenAI(base_url=told["upstream"], api_key="sk-provider", max_retries=0)
client.chat.completions.create(model=told["model"], messages=[{"role": "user", "content": "Hello"}])
logs.shutdown()
"""


def test_the_real_exporter_tells_a_call_in_an_event(stand: Stand) -> None:
    told = {
        "url": f"{stand.url}/v1/logs",
        "headers": {"Authorization": f"Bearer {stand.secret}"},
        "upstream": f"{stand.upstream_url}/v1",
        "model": MODEL,
    }
    modes = (
        "OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=EVENT_ONLY",
        "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT=120",
    )
    command = ["env", *modes, sys.executable, "-c", PROGRAM, json.dumps(told)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    call = stand.call()
    assert (call.model, call.messages[-1]["content"], call.reply["content"]) == (MODEL, "Hello", SAID)
    assert call.trace_id and call.span_id
