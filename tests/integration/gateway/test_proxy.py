"""The gateway as callers see it: the same answers as from the upstream, and a true record of each."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import openai
import pytest
from huggingface_hub import InferenceClient

from tests.fakes.upstream import ANSWER

pytestmark = pytest.mark.slow

ASK: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is the café?"}]
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
LOG_ID = "x-whetstone-log-id"


def test_a_plain_call_is_answered_and_recorded_with_tokens_cost_and_tags(stack: Any) -> None:
    raw = stack.client.chat.completions.with_raw_response.create(
        model="triage", messages=ASK, temperature=0.2, metadata={"feature": "triage"}
    )
    answer, entry = raw.parse(), stack.entry(raw.headers[LOG_ID])
    assert answer.choices[0].message.content == ANSWER
    assert answer.model == "triage"
    assert (entry.model, entry.served_model, entry.status, entry.http_status) == ("triage", "up-ok", "ok", 200)
    assert entry.messages == ASK and entry.reply["content"] == ANSWER == entry.reply_text
    assert (entry.prompt_tokens, entry.completion_tokens, entry.tokens_estimated) == (11, 7, False)
    assert entry.cost_usd == pytest.approx((11 * 1.0 + 7 * 2.0) / 1e6)
    assert entry.params == {"temperature": 0.2} and entry.tags == {"feature": "triage"}
    assert entry.deployment_id and entry.provider_id and entry.api_key_id == stack.key_id
    assert entry.external_id == answer.id and entry.latency_ms > 0 and entry.prompt_text == "Where is the café?"


def test_a_stream_reads_the_same_as_from_the_upstream_and_is_put_together_for_the_log(stack: Any) -> None:
    raw = stack.client.chat.completions.with_raw_response.create(model="triage", messages=ASK, stream=True)
    chunks = list(raw.parse())
    entry = stack.entry(raw.headers[LOG_ID])
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER
    assert {chunk.model for chunk in chunks} == {"triage"}
    assert entry.stream and entry.status == "ok" and entry.finish_reason == "stop"
    assert entry.reply == {"role": "assistant", "content": ANSWER} and entry.first_token_ms is not None
    assert entry.tokens_estimated and entry.completion_tokens == len(ANSWER.encode()) // 4


def test_a_stream_of_a_providers_own_model_passes_byte_for_byte(stack: Any) -> None:
    body = {"model": "up-dated", "messages": ASK, "stream": True}
    with stack.web as web:
        through = web.post("/v1/chat/completions", json=body)
    events = [json.loads(line[6:]) for line in through.text.split("\n\n") if line.startswith("data: {")]
    assert through.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert {event["model"] for event in events} == {"ok-2026-01-01"}
    rebuilt = "".join(f"data: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events) + "data: [DONE]\n\n"
    assert through.text == rebuilt


@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls_pass_and_are_recorded_whole(stack: Any, stream: bool) -> None:
    raw = stack.client.chat.completions.with_raw_response.create(
        model="triage", messages=ASK, tools=TOOLS, stream=stream
    )
    answer = raw.parse()
    if stream:
        parts = [call.function.arguments for chunk in answer for call in chunk.choices[0].delta.tool_calls or []]
        assert "".join(parts) == '{"city": "Paris"}'
    else:
        assert answer.choices[0].message.tool_calls[0].function.name == "weather"
    entry = stack.entry(raw.headers[LOG_ID])
    call = entry.reply["tool_calls"][0]
    assert call["function"] == {"name": "weather", "arguments": '{"city": "Paris"}'} and call["id"] == "call_1"
    assert entry.tools == TOOLS and entry.finish_reason == "tool_calls"
    assert entry.reply_text == 'weather({"city": "Paris"})'


def test_the_async_client_works_with_many_calls_at_once(stack: Any) -> None:
    async def many() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{stack.url}/v1", api_key=stack.secret, max_retries=0) as client:
            calls = [client.chat.completions.create(model="triage", messages=ASK, user=f"u{n}") for n in range(60)]
            return [answer.id for answer in await asyncio.gather(*calls)]

    ids = asyncio.run(many())
    stack.drain()
    assert set(ids) <= {entry.external_id for entry in stack.all_entries()} and len(set(ids)) == 60


@pytest.mark.parametrize("stream", [False, True])
def test_hugging_faces_client_gets_the_same_answers(stack: Any, stream: bool) -> None:
    client = InferenceClient(base_url=f"{stack.url}/v1", api_key=stack.secret)
    answer = client.chat_completion(ASK, model="triage", stream=stream)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in answer) if stream else answer.choices[0].message
    assert (said if stream else said.content) == ANSWER
    assert stack.newest().reply_text == ANSWER


def test_models_lists_aliases_and_providers_models(stack: Any) -> None:
    names = [model.id for model in stack.client.models.list()]
    assert names.index("triage") < names.index("up-ok") and {"half-dead", "half-unwell"} < set(names)


def test_a_wrong_key_is_told_what_to_do(stack: Any) -> None:
    with pytest.raises(openai.AuthenticationError, match="Make one on the Capture page"):
        openai.OpenAI(base_url=f"{stack.url}/v1", api_key="wk-wrong", max_retries=0).models.list()


def test_an_unknown_model_names_the_known_ones_and_is_recorded(stack: Any) -> None:
    with pytest.raises(openai.NotFoundError, match="triage") as told:
        stack.client.chat.completions.create(model="nope", messages=ASK)
    entry = stack.entry(told.value.response.headers[LOG_ID])
    assert told.value.code == "model_not_found"
    assert (entry.model, entry.status, entry.http_status) == ("nope", "error", 404)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b'{"model": "triage",\n "messages": [}', 400, "line 2, column"),
        (b"[1]", 400, "JSON object"),
        (b'{"messages": [{}]}', 400, "`model` is missing"),
        (b'{"model": "triage", "messages": []}', 400, "`messages` is missing"),
        (b'{"pad": "' + b"x" * (1 << 20) + b'"}', 413, "STUDIO_MAX_BODY_MB"),
    ],
)
def test_a_bad_body_is_refused_with_the_reason(stack: Any, body: bytes, status: int, said: str) -> None:
    with stack.web as web:
        answer = web.post("/v1/chat/completions", content=body)
    assert answer.status_code == status and said in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("model", "status", "said"),
    [
        ("up-busy", 429, "busy"),
        ("up-broken", 500, "broken"),
        ("up-unwell", 503, "unwell"),
        ("up-refuses", 502, "refused the studio's key"),
        ("up-failed", 502, "failed during generation"),
        ("up-slow", 504, "no answer within 3 s"),
        ("up-cut", 502, "in the middle"),
        ("dead", 502, "does not answer"),
    ],
)
def test_an_upstreams_trouble_is_told_and_recorded_as_it_is(stack: Any, model: str, status: int, said: str) -> None:
    with pytest.raises(openai.APIStatusError) as told:
        stack.client.chat.completions.create(model=model, messages=ASK)
    entry = stack.entry(told.value.response.headers[LOG_ID])
    assert told.value.status_code == status and said in str(told.value)
    assert (entry.status, entry.http_status, entry.reply) == ("error", status, {})
    assert said in (entry.error or "") and entry.messages == ASK
    if model == "up-busy":
        assert told.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("alias", ["half-dead", "half-unwell"])
def test_a_server_that_is_down_costs_the_caller_nothing_while_another_is_up(stack: Any, alias: str) -> None:
    raw = stack.client.chat.completions.with_raw_response.create(model=alias, messages=ASK)
    entry = stack.entry(raw.headers[LOG_ID])
    assert raw.parse().model == alias and (entry.status, entry.served_model) == ("ok", "up-ok")


@pytest.mark.parametrize("model", ["up-cut", "up-silent"])
def test_a_stream_that_stops_in_the_middle_raises_in_the_client_and_is_recorded_as_cut(stack: Any, model: str) -> None:
    raw = stack.client.chat.completions.with_raw_response.create(model=model, messages=ASK, stream=True)
    with pytest.raises(openai.APIError, match="in the middle"):
        list(raw.parse())
    entry = stack.entry(raw.headers[LOG_ID])
    assert entry.status == "cut" and entry.reply["content"] == "The café "


def test_a_caller_that_leaves_is_recorded_as_aborted_with_what_it_got(stack: Any) -> None:
    raw = stack.client.chat.completions.with_raw_response.create(model="up-drip", messages=ASK, stream=True)
    stream = raw.parse()
    next(iter(stream))
    stream.close()
    entry = stack.entry(raw.headers[LOG_ID])
    assert (entry.status, entry.http_status) == ("aborted", 499) and entry.reply_text != ANSWER


def test_the_callers_key_stays_in_the_gateway_and_no_field_of_theirs_chooses_the_server(stack: Any) -> None:
    evil = {
        "api_base": "http://169.254.169.254/",
        "base_url": "http://evil/",
        "api_key": "sk-x",
        "metadata": {"a": "b"},
    }
    stack.client.chat.completions.create(model="triage", messages=ASK, extra_body=evil)
    sent, headers = stack.upstream.requests[-1], stack.upstream.headers[-1]
    assert sent == {"model": "up-ok", "messages": ASK}
    assert headers["authorization"].startswith("Bearer sk-provider-")
    assert stack.secret not in json.dumps(headers)


def test_tags_come_from_metadata_and_from_the_header(stack: Any) -> None:
    raw = stack.client.chat.completions.with_raw_response.create(
        model="triage",
        messages=ASK,
        metadata={"feature": "a", "team": "x"},
        extra_headers={"x-whetstone-tags": "feature=b, beta"},
    )
    assert stack.entry(raw.headers[LOG_ID]).tags == {"feature": "b", "team": "x", "beta": "true"}


def test_health_and_metrics_need_no_key(stack: Any) -> None:
    health = httpx.get(f"{stack.url}/health").json()
    assert health["status"] == "ok" and health["not_recorded"] == 0
    assert "whetstone_recorded_total" in httpx.get(f"{stack.url}/metrics").text


def test_an_unknown_path_or_method_is_told_in_the_same_form(stack: Any) -> None:
    assert httpx.get(f"{stack.url}/v2/x").json()["error"]["code"] == "not_found"
    assert httpx.get(f"{stack.url}/v1/chat/completions").status_code == 405
