"""OpenAI's own client at every endpoint: it reads what the upstream said, and each call is recorded as it was."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai
import pytest

from tests.fakes.wire_samples import ARGUMENTS, PIECES, SAID, VECTOR

pytestmark = pytest.mark.slow

ASK: Any = [{"role": "user", "content": "Where is the café?"}]
PICTURE: Any = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/never-fetched.png"}},
        ],
    }
]
WEATHER: Any = {"name": "weather", "parameters": {"type": "object", "properties": {"model": {"type": "string"}}}}
TOOLS: Any = [{"type": "function", "function": WEATHER}]
LOG_ID = "x-whetstone-log-id"
COST = (20 * 10.0 + 100 * 1.0 + 9 * 20.0) / 1e6
"""Of 120 prompt tokens 100 came from a cache."""


def test_a_chat_with_two_choices_and_log_probabilities_is_kept_whole(place: Any) -> None:
    raw = place.openai.chat.completions.with_raw_response.create(model="gpt", messages=ASK, n=2, logprobs=True)
    answer, entry = raw.parse(), place.entry(raw.headers[LOG_ID])
    assert [choice.message.content for choice in answer.choices] == [SAID, f"{SAID} 1"]
    assert entry.endpoint == "chat" and entry.reply["content"] == SAID and entry.finish_reason == "stop"
    assert [choice["message"]["content"] for choice in entry.choices] == [SAID, f"{SAID} 1"]
    assert entry.choices[0]["logprobs"]["content"][0]["token"] == "Café"
    assert (entry.prompt_tokens, entry.completion_tokens) == (120, 9) and entry.cost_usd == pytest.approx(COST)
    assert place.got.headers["authorization"] == "Bearer sk-openai-0123456789abcdefghij"


def test_a_streamed_chat_with_two_choices_is_put_together(place: Any) -> None:
    options = {"include_usage": True}
    raw = place.openai.chat.completions.with_raw_response.create(
        model="triage", messages=ASK, n=2, logprobs=True, stream=True, stream_options=options
    )
    chunks, entry = list(raw.parse()), place.entry(raw.headers[LOG_ID])
    said = "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices if c.index == 0)
    assert said == SAID == entry.reply["content"] and {chunk.model for chunk in chunks} == {"triage"}
    assert entry.choices[1]["message"]["content"] == f"{SAID} 1"
    tokens = [told["token"] for told in entry.choices[0]["logprobs"]["content"]]
    assert tokens == list(PIECES) and entry.cost_usd == pytest.approx(COST)
    assert entry.served_model == "gpt-2026-01-01" and entry.first_token_ms is not None


@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls_are_kept_as_they_were_spelled(place: Any, stream: bool) -> None:
    raw = place.openai.chat.completions.with_raw_response.create(model="gpt", messages=ASK, tools=TOOLS, stream=stream)
    if stream:
        list(raw.parse())
    entry = place.entry(raw.headers[LOG_ID])
    assert entry.reply["tool_calls"][0]["function"] == {"name": "weather", "arguments": ARGUMENTS}
    assert entry.tools == TOOLS and entry.finish_reason == "tool_calls"


def test_a_picture_is_passed_on_and_never_fetched(place: Any) -> None:
    raw = place.openai.chat.completions.with_raw_response.create(model="gpt", messages=PICTURE)
    assert place.got.body["messages"] == PICTURE == place.entry(raw.headers[LOG_ID]).messages


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("chat/completions", {"messages": ASK, "n": 2, "logprobs": True}),
        ("chat/completions", {"messages": ASK, "tools": TOOLS}),
        ("completions", {"prompt": "Once"}),
        ("responses", {"input": "Hi"}),
        ("responses", {"input": "Hi", "tools": [{"type": "function", **WEATHER}]}),
    ],
)
def test_a_stream_under_the_providers_own_name_is_passed_on_byte_for_byte(place: Any, path: str, fields: Any) -> None:
    raw = json.dumps({"model": "gpt", "stream": True, **fields}, indent=1).encode()
    head = {"authorization": f"Bearer {place.secret}"}
    assert httpx.post(f"{place.url}/v1/{path}", content=raw, headers=head).content == place.upstream.sent
    assert place.got.raw == raw and place.got.path == f"/v1/{path}"


def test_a_completion_and_its_stream(place: Any) -> None:
    raw = place.openai.completions.with_raw_response.create(model="triage", prompt="Once", n=2, max_tokens=5)
    answer, entry = raw.parse(), place.entry(raw.headers[LOG_ID])
    assert answer.choices[0].text == SAID and answer.model == "triage"
    assert entry.endpoint == "completions" and entry.messages == [{"role": "user", "content": "Once"}]
    assert entry.reply == {"role": "assistant", "content": SAID} and len(entry.choices) == 2
    assert entry.params == {"n": 2, "max_tokens": 5} and entry.finish_reason == "length"
    raw = place.openai.completions.with_raw_response.create(model="triage", prompt=["Once"], stream=True)
    assert "".join(choice.text for chunk in raw.parse() for choice in chunk.choices) == SAID
    assert place.entry(raw.headers[LOG_ID]).reply["content"] == SAID


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings_are_answered_and_only_their_size_is_kept(place: Any, encoding: str) -> None:
    raw = place.openai.embeddings.with_raw_response.create(
        model="gpt", input=["one", "two"], encoding_format=encoding, user="ann"
    )
    answer, entry = raw.parse(), place.entry(raw.headers[LOG_ID])
    assert len(answer.data) == 2 and (encoding == "base64" or answer.data[0].embedding == VECTOR)
    assert entry.endpoint == "embeddings" and [m["content"] for m in entry.messages] == ["one", "two"]
    assert entry.reply["embeddings"] == {"vectors": 2, "dimensions": 3} and entry.user_id == "ann"
    assert (entry.status, entry.prompt_tokens, entry.tokens_estimated) == ("ok", 8, False)


def test_a_response_is_read_and_kept_as_a_chat(place: Any) -> None:
    raw = place.openai.responses.with_raw_response.create(
        model="triage",
        instructions="Be brief.",
        input=[{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
        metadata={"feature": "x"},
        previous_response_id="resp_0",
        safety_identifier="ann",
    )
    answer, entry = raw.parse(), place.entry(raw.headers[LOG_ID])
    assert answer.output_text == SAID and answer.model == "triage" and answer.metadata == {"model": "a tag"}
    assert entry.endpoint == "responses" and entry.tags == {"feature": "x"}
    assert entry.messages == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert entry.reply == {"role": "assistant", "content": SAID, "reasoning_content": "Think of Tokyo."}
    assert (entry.session_id, entry.user_id) == ("resp_0", "ann")
    assert (entry.prompt_tokens, entry.completion_tokens) == (120, 9) and entry.cost_usd == pytest.approx(COST)
    assert place.got.body["metadata"] == {"feature": "x"}


@pytest.mark.parametrize("tools", [False, True])
def test_a_streamed_response_is_read_and_kept_as_a_chat(place: Any, tools: bool) -> None:
    given: Any = [{"type": "function", "strict": False, **WEATHER}] if tools else openai.omit
    raw = place.openai.responses.with_raw_response.create(model="triage", input="Hi", tools=given, stream=True)
    events, entry = list(raw.parse()), place.entry(raw.headers[LOG_ID])
    assert events[-1].type == "response.completed" and events[-1].response.model == "triage"
    assert entry.status == "ok" and entry.reply["reasoning_content"] == "Think of Tokyo."
    if tools:
        assert entry.reply["tool_calls"][0]["function"] == {"name": "weather", "arguments": ARGUMENTS}
        assert entry.tools == [{"type": "function", "function": {**WEATHER, "strict": False}}]
    else:
        assert entry.reply["content"] == SAID


def test_a_response_that_is_cut_raises_in_the_client_and_keeps_what_came(place: Any) -> None:
    raw = place.openai.responses.with_raw_response.create(model="cut", input="Hi", stream=True)
    with pytest.raises(openai.APIError, match="in the middle"):
        list(raw.parse())
    assert place.entry(raw.headers[LOG_ID]).status == "cut"


def test_models_are_listed_and_found_by_name(place: Any) -> None:
    assert place.openai.models.list().data[0].id == "triage" == place.openai.models.retrieve("triage").id
    with pytest.raises(openai.NotFoundError, match="does not exist in this project"):
        place.openai.models.retrieve("nobody")


@pytest.mark.parametrize(
    ("path", "said"),
    [("completions", "`prompt` is missing"), ("embeddings", "`input` is missing"), ("responses", "`input` is missing")],
)
def test_a_request_without_what_it_asks_is_refused_with_the_reason(place: Any, path: str, said: str) -> None:
    head = {"authorization": f"Bearer {place.secret}"}
    answer = httpx.post(f"{place.url}/v1/{path}", json={"model": "gpt"}, headers=head)
    assert answer.status_code == 400 and said in answer.json()["error"]["message"]


def test_who_asked_and_in_which_trace_is_kept(place: Any) -> None:
    trace = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "x-session-id": "s1"}
    raw = place.openai.chat.completions.with_raw_response.create(
        model="gpt", messages=ASK, user="ann", extra_headers=trace
    )
    entry = place.entry(raw.headers[LOG_ID])
    assert (entry.trace_id, entry.parent_span_id, entry.span_id) == ("a" * 32, "b" * 16, None)
    assert (entry.session_id, entry.user_id) == ("s1", "ann")
