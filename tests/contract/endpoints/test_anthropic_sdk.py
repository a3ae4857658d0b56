"""Anthropic's own client: passed on as it is, with the provider's key, and recorded as a chat."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx
import pytest

from tests.fakes.wire_samples import ARGUMENTS, SAID

pytestmark = pytest.mark.slow

ASK: Any = [{"role": "user", "content": "Where is the café?"}]
WEATHER: Any = {"name": "weather", "description": "Now", "input_schema": {"type": "object"}}
LOG_ID = "x-whetstone-log-id"
COST = (15 * 10.0 + 100 * 1.0 + 5 * 12.5 + 9 * 20.0) / 1e6


def test_a_message_is_answered_and_kept_as_a_chat(place: Any) -> None:
    raw = place.anthropic.messages.with_raw_response.create(
        model="triage",
        max_tokens=50,
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        messages=ASK,
        tools=[WEATHER],
        tool_choice={"type": "any"},
        metadata={"user_id": "ann", "feature": "x"},
        stop_sequences=["END"],
        extra_headers={"anthropic-beta": "tools-2026-01-01"},
    )
    answer, entry = raw.parse(), place.entry(raw.headers[LOG_ID])
    assert answer.model == "triage" and answer.content[1].text == SAID and answer.stop_reason == "tool_use"
    assert answer.content[2].input == json.loads(ARGUMENTS)
    sent = place.got
    assert (
        sent.path == "/v1/messages" and sent.body["model"] == "claude" and sent.body["metadata"] == {"user_id": "ann"}
    )
    assert sent.headers["x-api-key"] == "sk-ant-0123456789abcdefghij" and "authorization" not in sent.headers
    assert sent.headers["anthropic-version"] == raw.http_request.headers["anthropic-version"]
    assert sent.headers["anthropic-beta"] == "tools-2026-01-01"
    assert entry.endpoint == "messages" and entry.served_model == "claude-2026-01-01"
    assert entry.messages[0]["role"] == "system" and entry.messages[1:] == ASK
    function = {"name": "weather", "description": "Now", "parameters": {"type": "object"}}
    assert entry.tools == [{"type": "function", "function": function}]
    assert entry.params == {"max_tokens": 50, "stop": ["END"], "tool_choice": "required"}
    assert entry.reply["content"] == SAID and entry.reply["reasoning_content"] == "Think of Tokyo."
    assert json.loads(entry.reply["tool_calls"][0]["function"]["arguments"]) == json.loads(ARGUMENTS)
    assert (entry.finish_reason, entry.user_id, entry.tags["feature"]) == ("tool_calls", "ann", "x")
    assert (entry.prompt_tokens, entry.completion_tokens) == (120, 9) and entry.cost_usd == pytest.approx(COST)


@pytest.mark.parametrize("tools", [False, True])
def test_a_streamed_message_is_read_and_kept_as_a_chat(place: Any, tools: bool) -> None:
    given: Any = [WEATHER] if tools else anthropic.omit
    with place.anthropic.messages.stream(model="triage", max_tokens=50, messages=ASK, tools=given) as stream:
        whole = stream.get_final_message()
        uid = stream.response.headers[LOG_ID]
    entry = place.entry(uid)
    assert whole.content[1].text == SAID == entry.reply["content"] and whole.model == "triage"
    assert entry.stream and entry.status == "ok" and entry.reply["reasoning_content"] == "Think of Tokyo."
    assert (entry.prompt_tokens, entry.completion_tokens) == (120, 9) and entry.cost_usd == pytest.approx(COST)
    calls = entry.reply.get("tool_calls", [])
    assert [call["function"]["arguments"] for call in calls] == ([ARGUMENTS] if tools else [])


def test_a_stream_under_the_providers_own_name_is_passed_on_byte_for_byte(place: Any) -> None:
    raw = json.dumps({"model": "claude", "stream": True, "max_tokens": 5, "messages": ASK, "tools": [WEATHER]}).encode()
    answer = httpx.post(f"{place.url}/v1/messages", content=raw, headers={"x-api-key": place.secret})
    assert answer.content == place.upstream.sent and place.got.raw == raw
    assert place.got.headers["anthropic-version"] == "2023-06-01" and place.secret not in str(place.got.headers)


def test_a_bearer_token_of_ours_is_taken_too(place: Any) -> None:
    client = anthropic.Anthropic(base_url=place.url, auth_token=place.secret, max_retries=0)
    assert client.messages.create(model="claude", max_tokens=5, messages=ASK).content[1].text == SAID
    assert place.got.headers["x-api-key"] == "sk-ant-0123456789abcdefghij"


def test_betas_are_passed_on_with_their_query_and_no_other_query_is(place: Any) -> None:
    asked: Any = {"model": "triage", "max_tokens": 5, "messages": ASK}
    place.anthropic.beta.messages.create(**asked, betas=["files-api-2025-04-14"])
    assert place.got.headers["anthropic-beta"] == "files-api-2025-04-14"
    head = {"x-api-key": place.secret}
    for query, path in (("?beta=true", "/v1/messages?beta=true"), ("?base_url=http://evil", "/v1/messages")):
        assert httpx.post(f"{place.url}/v1/messages{query}", json=asked, headers=head).status_code == 200
        assert place.got.path == path


def test_tokens_are_counted_by_the_provider_and_not_recorded(place: Any) -> None:
    raw = place.anthropic.messages.with_raw_response.count_tokens(model="triage", messages=ASK)
    assert raw.parse().input_tokens == 15 and place.got.path == "/v1/messages/count_tokens"


def test_a_busy_provider_is_told_in_the_callers_words(place: Any) -> None:
    with pytest.raises(anthropic.OverloadedError, match="Overloaded") as told:
        place.anthropic.messages.create(model="busy", max_tokens=5, messages=ASK)
    entry = place.entry(told.value.response.headers[LOG_ID])
    assert (entry.status, entry.http_status, entry.error) == ("error", 529, "Overloaded")
    assert told.value.response.headers["anthropic-ratelimit-requests-remaining"] == "7"


def test_an_error_at_the_start_of_a_stream_has_its_own_status(place: Any) -> None:
    with pytest.raises(anthropic.OverloadedError, match="Overloaded"):
        place.anthropic.messages.create(model="late-error", max_tokens=5, messages=ASK, stream=True)
    assert place.upstream.got[-1].body["stream"]


def test_a_stream_that_is_cut_raises_in_the_client_and_keeps_what_came(place: Any) -> None:
    raw = place.anthropic.messages.with_raw_response.create(model="cut", max_tokens=5, messages=ASK, stream=True)
    with pytest.raises(anthropic.APIStatusError, match="in the middle"):
        list(raw.parse())
    assert place.entry(raw.headers[LOG_ID]).status == "cut"


def test_our_own_errors_are_in_anthropics_form(place: Any) -> None:
    wrong = anthropic.Anthropic(base_url=place.url, api_key="wk-wrong", max_retries=0)
    with pytest.raises(anthropic.AuthenticationError, match="not valid here") as told:
        wrong.messages.create(model="claude", max_tokens=5, messages=ASK)
    body: Any = told.value.body
    assert body["type"] == "error" and body["error"]["type"] == "authentication_error"
    with pytest.raises(anthropic.NotFoundError, match="does not exist in this project"):
        place.anthropic.messages.create(model="nobody", max_tokens=5, messages=ASK)
    with pytest.raises(anthropic.BadRequestError, match="speaks Anthropic's format; they speak OpenAI's"):
        place.anthropic.messages.create(model="gpt", max_tokens=5, messages=ASK)


def test_models_are_listed_in_anthropics_form(place: Any) -> None:
    found = place.anthropic.models.list()
    assert found.data[0].id == "triage" and found.data[0].type == "model" and not found.has_more
    assert place.anthropic.models.retrieve("claude").display_name == "claude"
