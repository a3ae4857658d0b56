"""Feedback and outcomes: by any name of a call, in batches, before its call, and in the forms of other systems."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from studio.access.actor import Actor
from studio.access.keys import Allowed, ApiKeys
from tests.contract.intakes.conftest import MODEL, Stand

CALL = {
    "request": {"model": MODEL, "messages": [{"role": "user", "content": "How cold?"}]},
    "response": {"id": "chatcmpl-9", "choices": [{"message": {"role": "assistant", "content": "5"}}]},
    "trace_id": "trace-1",
    "span_id": "span-1",
    "session_id": "session-1",
    "tags": {"feature": "weather"},
}


def report(stand: Stand, **more: Any) -> str:
    answer = stand.web.post("/v1/report", json={**CALL, **more})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def say(stand: Stand, said: Any, path: str = "/v1/feedback", status: int = 202) -> Any:
    answer = stand.web.post(path, json=said)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.mark.parametrize(
    "target",
    [
        {"external_id": "chatcmpl-9"},
        {"trace_id": "trace-1"},
        {"trace_id": "trace-1", "span_id": "span-1"},
        {"session_id": "session-1"},
        {"id": "chatcmpl-9"},
        {"id": "trace-1"},
        {"tags": {"feature": "weather"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("first", ["call", "feedback"])
def test_feedback_finds_its_call_whichever_comes_first(stand: Stand, target: dict[str, Any], first: str) -> None:
    if first == "call":
        report(stand)
    say(stand, {"kind": "thumbs", "value": "up", **target})
    if first == "feedback":
        assert stand.calls() == []
        report(stand)
    assert [one.kind for one in stand.feedback(stand.call())] == ["thumbs"]
    assert stand.call().rating == "up"


def test_every_kind_of_feedback_and_the_latest_of_it_on_the_call(stand: Stand) -> None:
    uid = report(stand)
    batch = [
        {"uid": uid, "kind": "thumbs", "value": 1},
        {"uid": uid, "kind": "thumbs", "value": 0, "given_by": "ann"},
        {"uid": uid, "kind": "score", "value": 0.25, "at": "2026-01-02T00:00:00Z"},
        {"uid": uid, "kind": "score", "value": 0.75, "at": "2026-01-01T00:00:00Z"},
        {"uid": uid, "kind": "comment", "text": "too short"},
        {"uid": uid, "kind": "correction", "text": "5 degrees"},
        {"uid": uid, "kind": "metric", "name": "resolved", "value": 1},
    ]
    answers = say(stand, batch)["data"]
    assert len({answer["id"] for answer in answers}) == len(batch)
    assert len(stand.feedback(stand.call())) == len(batch)
    call = stand.call()
    assert (call.rating, call.score, call.correction) == ("down", 0.25, "5 degrees")


def test_a_batch_is_taken_whole_or_not_at_all(stand: Stand) -> None:
    uid = report(stand)
    batch = [{"uid": uid, "kind": "thumbs", "value": 1}, {"uid": uid, "kind": "thumbs", "value": 7}]
    assert "[1] feedback: thumbs need" in say(stand, batch, status=400)["error"]["message"]
    assert stand.feedback(stand.call()) == []


def test_feedback_with_an_id_replaces_what_it_said_before(stand: Stand) -> None:
    uid = report(stand)
    for value in ("up", "down", "up"):
        say(stand, {"uid": uid, "kind": "thumbs", "value": value, "feedback_id": "f-1"})
    assert [(one.value, one.external_id) for one in stand.feedback(stand.call())] == [(1, "f-1")]
    assert stand.call().rating == "up"


def test_feedback_on_a_trace_goes_to_all_of_its_calls_and_a_correction_to_the_last(stand: Stand) -> None:
    for span in ("a", "b"):
        report(stand, span_id=span, response=None, external_id=span)
    for _ in range(2):
        say(stand, {"trace_id": "trace-1", "kind": "thumbs", "value": 1, "feedback_id": "f-1"})
    say(stand, {"trace_id": "trace-1", "kind": "correction", "text": "better"})
    stand.calls()
    first, last = stand.calls()
    assert [len(stand.feedback(call)) for call in (first, last)] == [1, 2]
    assert (first.correction, last.correction) == (None, "better")


def test_feedback_on_a_span_that_is_no_call_goes_to_the_calls_under_it(stand: Stand) -> None:
    report(stand, parent_span_id="agent")
    say(stand, {"trace_id": "trace-1", "span_id": "agent", "kind": "thumbs", "value": 1})
    stand.feedback(stand.call())
    assert stand.call().rating == "up"


def test_scopes_of_keys_hold(stand: Stand) -> None:
    _, reports = ApiKeys(stand.database).create(Actor.operator(), stand.project.id, "reports", Allowed(("report",)))
    _, criticises = ApiKeys(stand.database).create(Actor.operator(), stand.project.id, "critic", Allowed(("feedback",)))
    thumbs = {"uid": "x", "kind": "thumbs", "value": 1}
    for secret, path, body, status in (
        (reports, "/v1/report", CALL, 202),
        (reports, "/v1/feedback", thumbs, 403),
        (criticises, "/v1/feedback", thumbs, 202),
        (criticises, "/v1/report", CALL, 403),
        (criticises, "/v1/intake/litellm", [], 403),
    ):
        headers = {"authorization": f"Bearer {secret}"}
        assert stand.web.post(path, json=body, headers=headers).status_code == status, path


def test_a_report_with_an_external_id_is_one_call_however_often_it_is_sent(stand: Stand) -> None:
    same = {"external_id": "order-7", "user_id": "u-1", "cost_usd": 0.25, "latency_ms": 12, "started_at": 1.7e9}
    assert len({report(stand, **same) for _ in range(3)}) == 1
    call = stand.call()
    assert (call.external_id, call.user_id, call.cost_usd, call.latency_ms) == ("order-7", "u-1", 0.25, 12)


def test_reports_of_every_endpoint_in_one_list(stand: Stand) -> None:
    message = {"role": "user", "content": "Hi"}
    said = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hello"}]}
    calls = [
        CALL,
        {"endpoint": "messages", "request": {"model": "c", "messages": [message], "max_tokens": 5}, "response": said},
        {"endpoint": "completions", "request": {"model": "m", "prompt": "Hi"}},
        {"endpoint": "embeddings", "request": {"model": "m", "input": ["Hi"]}},
        {"endpoint": "responses", "request": {"model": "m", "input": "Hi"}},
    ]
    answer = stand.web.post("/v1/report", json=calls)
    assert (answer.status_code, len(answer.json()["data"])) == (202, 5)
    found = stand.calls()
    assert [call.endpoint for call in found] == ["chat", "messages", "completions", "embeddings", "responses"]
    assert found[1].reply["content"] == "Hello" and found[4].prompt_text == "Hi"
    wrong = stand.web.post("/v1/report", json=[CALL, {"request": {"model": "m"}}])
    assert wrong.status_code == 400 and "[1] request.messages is missing" in wrong.text


# Helicone


def test_helicone_s_ids_and_headers_and_feedback(serves: Stand) -> None:
    headers = {
        "helicone-auth": f"Bearer {serves.secret}",
        "authorization": "Bearer sk-the-providers-own-key-0123456789",
        "helicone-request-id": "req-1",
        "helicone-user-id": "u-1",
        "helicone-session-id": "s-1",
        "helicone-session-path": "/trip/book",
        "helicone-property-Feature": "weather",
        "helicone-target-url": "http://169.254.169.254/",
    }
    answer = serves.web.post("/v1/chat/completions", json=CALL["request"], headers=headers)
    assert (answer.status_code, answer.headers["helicone-id"]) == (200, "req-1")
    call = serves.call()
    assert (call.external_id, call.user_id, call.session_id) == ("req-1", "u-1", "s-1")
    assert call.tags == {"feature": "weather", "session_path": "/trip/book"}
    say(serves, {"rating": True}, "/v1/request/req-1/feedback", 200)
    say(serves, {"helicone-id": "req-1", "rating": False}, "/v1/feedback")
    say(serves, {"scores": {"accuracy": 0.5, "safe": True}}, "/v1/request/req-1/score", 200)
    put = serves.web.put("/v1/request/req-1/property", json={"key": "plan", "value": "pro"})
    assert put.status_code == 200
    told = serves.said(call)
    assert ("metric", "accuracy", 0.5, None) in told and ("metric", "safe", 1, None) in told
    assert (serves.call().rating, serves.call().tags["plan"]) == ("down", "pro")
    assert say(serves, {"rating": "yes"}, "/v1/request/req-1/feedback", 400)


def test_an_answer_without_a_request_id_tells_ours(serves: Stand) -> None:
    answer = serves.web.post("/v1/chat/completions", json=CALL["request"], headers={"helicone-user-id": "u"})
    uid = answer.headers["helicone-id"]
    assert uid == answer.headers["x-whetstone-log-id"] == serves.call().uid
    say(serves, {"rating": True}, f"/v1/request/{uid}/feedback", 200)
    serves.feedback(serves.call())
    assert serves.call().rating == "up"


@pytest.mark.parametrize(
    "header",
    [("op-log-request", "false"), ("helicone-omit-request", "true"), ("x-portkey-debug", "false")],
    ids=lambda header: header[0],
)
def test_a_caller_who_wants_no_log_gets_none(serves: Stand, header: tuple[str, str]) -> None:
    answer = serves.web.post("/v1/chat/completions", json=CALL["request"], headers=dict([header]))
    assert answer.status_code == 200 and serves.calls() == []


def test_helicone_s_manual_logger(stand: Stand) -> None:
    from helicone_helpers import HeliconeManualLogger

    logger = HeliconeManualLogger(stand.secret, {"Helicone-User-Id": "u-1"}, stand.url)
    more = {"Helicone-Property-Plan": "pro", "Helicone-Request-Id": "req-7"}
    for _ in range(2):
        logger.log_request(CALL["request"], lambda seen: seen.append_results(CALL["response"]), more, "openai")  # type: ignore[dict-item]
    chunks = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in ("it is ", "cold")]
    builder = logger.log_builder({**CALL["request"], "stream": True})  # type: ignore[dict-item]
    for chunk in (*chunks, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}):
        builder.add_chunk(chunk)
    asyncio.run(builder.send_log())
    logger.send_log(None, {"_type": "tool", "toolName": "weather"}, {"x": 1}, {"start_time": 1.0, "end_time": 2.0})
    told, streamed = stand.calls()
    assert (told.source, told.external_id, told.user_id, told.tags) == ("helicone", "req-7", "u-1", {"plan": "pro"})
    assert (told.messages, told.reply["content"]) == (CALL["request"]["messages"], "5")  # type: ignore[index]
    assert (streamed.reply["content"], streamed.finish_reason, streamed.stream) == ("it is cold", "stop", True)


# Portkey


def test_portkey_s_client_gives_feedback_and_pushes_logs(serves: Stand) -> None:
    from portkey_ai import Portkey
    from portkey_ai.api_resources.apis.logger import Logger

    client = Portkey(base_url=f"{serves.url}/v1", api_key=serves.secret)
    answer = client.with_options(trace_id="t-1").chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hi"}]
    )
    assert answer.get_headers()["trace-id"] == "t-1"
    told = client.feedback.create(trace_id="t-1", value=-5, metadata={"text": "wrong", "_user": "ann"})
    assert told.status == "success" and told.feedback_ids
    client.feedback.bulk_create(feedbacks=[{"trace_id": "t-1", "value": 3}, {"trace_id": "t-2", "value": 10}])
    log = {
        "request": {"url": "https://api.openai.com/v1/chat/completions", "method": "POST", "body": CALL["request"]},
        "response": {"status": 200, "body": CALL["response"], "response_time": 42},
        "metadata": {"traceId": "t-2", "spanId": "s-2", "_user": "bob", "plan": "pro"},
    }
    for _ in range(2):
        assert Logger(api_key=serves.secret, base_url=f"{serves.url}/v1").log(log).status_code == 200
    through, pushed = serves.calls()
    assert ("comment", "", None, "wrong") in serves.said(through)
    assert ("metric", "portkey_feedback", -5, None) in serves.said(through)
    assert (serves.calls()[0].rating, serves.calls()[1].rating) == ("up", "up")
    assert (pushed.source, pushed.trace_id, pushed.span_id, pushed.user_id) == ("portkey", "t-2", "s-2", "bob")
    assert (pushed.latency_ms, pushed.tags, pushed.reply["content"]) == (42, {"plan": "pro"}, "5")


def test_portkey_s_choice_of_a_server_is_never_honoured(serves: Stand) -> None:
    headers = {
        "x-portkey-api-key": serves.secret,
        "authorization": "Bearer sk-the-providers-own-key-0123456789",
        "x-portkey-provider": "anthropic",
        "x-portkey-custom-host": "http://169.254.169.254/v1",
        "x-portkey-config": '{"strategy": {"mode": "fallback"}, "targets": [{"custom_host": "http://169.254.169.254"}]}',
        "x-portkey-metadata": '{"_user": "u-1", "env": "prod", "deep": {"a": 1}}',
    }
    before = len(serves.upstream.got)
    answer = serves.web.post("/v1/chat/completions", json=CALL["request"], headers=headers)
    assert answer.status_code == 200 and len(serves.upstream.got) == before + 1
    sent = serves.upstream.got[-1].headers
    assert not [name for name in sent if "portkey" in name] and "providers-own" not in str(sent)
    call = serves.call()
    assert (call.user_id, call.tags) == ("u-1", {"env": "prod"})
    trace_id = answer.headers["x-portkey-trace-id"]
    assert trace_id == call.uid
    say(serves, {"trace_id": trace_id, "value": 1}, "/v1/feedback", 200)
    serves.feedback(call)
    assert serves.call().rating == "up"


@pytest.mark.parametrize("value", [11, -10.5, None, "good", True])
def test_portkey_s_values_have_their_range(stand: Stand, value: Any) -> None:
    assert "from -10 to 10" in say(stand, {"trace_id": "t", "value": value}, status=400)["error"]["message"]


# OpenPipe


def test_openpipe_s_tags_change_calls_that_are_here_and_those_that_come(stand: Stand) -> None:
    asked = {"model": "openai:gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "metadata": {"a": "1"}}
    said = {"id": "chatcmpl-op", "model": "gpt-4o", "choices": [{"message": {"role": "assistant", "content": "Yo"}}]}
    body = {"requestedAt": 1.7e12, "receivedAt": 1.7e12 + 250, "reqPayload": asked, "respPayload": said}
    filters = [{"field": "completionId", "equals": "chatcmpl-op"}]
    early = {"filters": filters, "tags": {"early": True}}
    assert say(stand, early, "/api/v1/logs/update-tags", 200) == {"matchedLogs": 0}
    told = {"statusCode": 200, "tags": {"b": 2, "$sdk": "python"}}
    assert say(stand, {**body, **told}, "/api/v1/report", 200) == {"status": "ok"}
    call = stand.call()
    assert (call.model, call.created_at.timestamp(), call.latency_ms) == ("gpt-4o", 1.7e9, 250)
    stand.feedback(call)
    assert stand.call().tags == {"a": "1", "b": "2", "early": "true"}
    update = {"filters": [*filters, {"field": "metadata.b", "equals": 2}], "metadata": {"b": None, "c": 1.0}}
    assert say(stand, update, "/api/v1/logs/update-metadata", 200) == {"matchedLogs": 1}
    stand.feedback(call)
    assert stand.call().tags == {"a": "1", "early": "true", "c": "1"}
    unknown = {"filters": [{"field": "project", "equals": "x"}], "tags": {"a": "b"}}
    assert "completionId" in say(stand, unknown, "/api/v1/logs/update-tags", 400)["error"]["message"]


def test_openpipe_s_reports_of_anthropic_and_of_failures(stand: Stand) -> None:
    asked = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    said = {"type": "message", "content": [{"type": "text", "text": "Yo"}], "usage": {"input_tokens": 3}}
    say(stand, {"reqPayload": asked, "respPayload": said, "statusCode": 200}, "/api/v1/report-anthropic", 200)
    say(stand, {"reqPayload": asked, "statusCode": 429, "errorMessage": "slow down"}, "/api/v1/report", 200)
    first, failed = stand.calls()
    assert (first.endpoint, first.reply["content"], first.prompt_tokens) == ("messages", "Yo", 3)
    assert (failed.status, failed.http_status, failed.error) == ("error", 429, "slow down")


@pytest.mark.parametrize("path", ["criteria/judge", "datasets", "models", "check-cache", "datasets/1/entries"])
def test_what_openpipe_does_elsewhere_is_said_plainly(stand: Stand, path: str) -> None:
    assert "is not here" in say(stand, {}, f"/api/v1/{path}", 501)["error"]["message"]
