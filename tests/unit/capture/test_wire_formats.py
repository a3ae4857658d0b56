"""Every wire format: whole bodies and streams say the same, cut ones say what came, and no text is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from studio.capture.wire.answer import Answer
from studio.capture.wire.catalog import WIRES, read_reply, read_request
from tests.fakes import wire_samples as samples
from tests.fakes.wire_samples import ARGUMENTS, PIECES, SAID

FEW = hypothesis_settings(max_examples=50)
"""Slow to make, so fewer than usual."""
THOUGHT = "Think of Tokyo."
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ARGUMENTS}}
WHOLE: list[tuple[str, Callable[[], Any]]] = [
    ("chat", lambda: samples.chat("m")),
    ("completions", lambda: samples.completion("m")),
    ("responses", lambda: samples.response("m")),
    ("messages", lambda: samples.message("m")),
]
STREAMS: list[tuple[str, bytes]] = [
    ("chat", samples.chat_stream("m")),
    ("completions", samples.completion_stream("m")),
    ("responses", samples.named(*samples.response_events("m"))),
    ("messages", samples.named(*samples.message_events("m"))),
]
CALLING: list[tuple[str, bytes]] = [
    ("chat", samples.chat_stream("m", tools=True)),
    ("responses", samples.named(*samples.response_events("m", tools=True))),
    ("messages", samples.named(*samples.message_events("m", tools=True))),
]


def whole(endpoint: str, body: Any) -> Answer:
    return read_reply(endpoint, json.dumps(body).encode(), sse=False)


@pytest.mark.parametrize(("endpoint", "body"), WHOLE)
def test_a_whole_answer_is_read(endpoint: str, body: Callable[[], Any]) -> None:
    answer = whole(endpoint, body())
    assert answer.message["content"] == SAID and answer.message["role"] == "assistant"
    assert answer.model == "m" and answer.id and answer.usage and answer.complete and answer.error is None
    assert answer.finish_reason == ("length" if endpoint == "completions" else "stop")


@pytest.mark.parametrize(("endpoint", "body"), STREAMS)
def test_a_stream_adds_up_to_the_whole_answer(endpoint: str, body: bytes) -> None:
    told, streamed = whole(endpoint, dict(WHOLE)[endpoint]()), read_reply(endpoint, body, sse=True)
    for name in ("content", "reasoning_content", "tool_calls"):
        assert streamed.message.get(name) == told.message.get(name)
    assert (streamed.model, streamed.id, streamed.finish_reason) == (told.model, told.id, told.finish_reason)
    assert streamed.usage == told.usage and streamed.complete and streamed.error is None


@pytest.mark.parametrize(("endpoint", "body"), CALLING)
def test_tool_calls_of_a_stream_are_spelled_as_they_came(endpoint: str, body: bytes) -> None:
    answer = read_reply(endpoint, body, sse=True)
    assert answer.message["tool_calls"][0]["function"] == CALL["function"] and answer.finish_reason == "tool_calls"


@pytest.mark.parametrize(("endpoint", "body"), STREAMS + CALLING)
def test_a_stream_cut_anywhere_says_what_came(endpoint: str, body: bytes) -> None:
    spoken = ["".join(PIECES[:n]) for n in range(len(PIECES) + 1)]
    lengths = []
    for at in range(0, len(body), 7):
        answer = read_reply(endpoint, body[:at], sse=True)
        text = answer.message.get("content") or ""
        called = "".join(call["function"]["arguments"] for call in answer.message.get("tool_calls", []))
        assert text in spoken and ARGUMENTS.startswith(called)
        lengths.append(len(text) + len(called))
    assert lengths == sorted(lengths), "what came was lost again"
    assert read_reply(endpoint, body, sse=True).complete and not read_reply(endpoint, body[:90], sse=True).complete


@pytest.mark.parametrize(("endpoint", "body"), STREAMS)
def test_line_ends_and_comments_make_no_difference(endpoint: str, body: bytes) -> None:
    odd = b": ping\n\n" + re.sub(rb"(?m)^data: ", b"data:", body).replace(b"\n", b"\r\n")
    assert read_reply(endpoint, odd, sse=True) == read_reply(endpoint, body, sse=True)


def test_every_choice_is_kept_with_its_log_probabilities() -> None:
    for answer in (
        whole("chat", samples.chat("m", n=2, probabilities=True)),
        read_reply("chat", samples.chat_stream("m", n=2, probabilities=True), sse=True),
    ):
        assert [choice["message"]["content"] for choice in answer.choices] == [SAID, f"{SAID} 1"]
        assert answer.choices[1]["logprobs"]["content"][0]["token"].startswith("Café")
        assert answer.message["content"] == SAID
    assert (
        whole("chat", samples.chat("m")).choices == [] != whole("chat", samples.chat("m", probabilities=True)).choices
    )


def test_a_response_with_log_probabilities_keeps_them() -> None:
    told = samples.logprobs("Café")["content"]
    item = {**samples.TEXT_ITEM, "content": [{**samples.TEXT_PART, "logprobs": told}]}
    answer = whole("responses", samples.response("m", output=[item]))
    assert answer.choices == [
        {"index": 0, "message": answer.message, "finish_reason": "stop", "logprobs": {"content": told}}
    ]


@pytest.mark.parametrize("as_base64", [True, False])
def test_of_embeddings_only_the_size_is_kept(as_base64: bool) -> None:
    answer = whole("embeddings", samples.embeddings("m", 2, as_base64))
    assert answer.message["embeddings"] == {"vectors": 2, "dimensions": 3} and answer.usage["prompt_tokens"] == 8
    assert "0.25" not in str(answer) and answer.complete


@pytest.mark.parametrize(
    ("endpoint", "event", "said"),
    [
        ("messages", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "Overloaded"),
        ("responses", {"type": "error", "code": "x", "message": "down", "param": None}, "down"),
        ("responses", {"type": "response.failed", "response": {"error": {"message": "down"}}}, "down"),
        ("chat", {"error": {"message": "overloaded"}}, "overloaded"),
    ],
)
def test_an_error_inside_of_a_stream_is_found_beside_what_came(endpoint: str, event: Any, said: str) -> None:
    begun = dict(STREAMS)[endpoint].split(b"\n\n")
    body = b"\n\n".join(begun[: len(begun) * 2 // 3]) + b"\n\n" + samples.data(event)
    answer = read_reply(endpoint, body, sse=True)
    assert answer.error == said and answer.message["content"]


def test_a_refusal_is_no_content() -> None:
    part = {"type": "refusal", "refusal": "I cannot."}
    answer = whole("responses", samples.response("m", output=[{**samples.TEXT_ITEM, "content": [part]}]))
    assert answer.message == {"role": "assistant", "content": None, "refusal": "I cannot."}
    stopped = whole("messages", {**samples.message("m"), "stop_reason": "refusal"})
    assert stopped.finish_reason == "content_filter"


@pytest.mark.parametrize(
    ("facts", "reason", "complete"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length", True),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter", True),
        ({"status": "in_progress"}, None, False),
    ],
)
def test_why_a_response_ended(facts: Any, reason: str | None, complete: bool) -> None:
    answer = whole("responses", samples.response("m", **facts))
    assert (answer.finish_reason, answer.complete) == (reason, complete)


# requests


def test_a_turn_with_anthropics_tools_is_read_as_a_chat() -> None:
    picture = {"type": "base64", "media_type": "image/png", "data": "QUJD"}
    result = {
        "type": "tool_result",
        "tool_use_id": "toolu_1",
        "content": [{"type": "text", "text": "21°"}],
        "is_error": True,
    }
    body = {
        "model": "claude",
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image", "source": picture}]},
            {"role": "assistant", "content": [samples.THINKING, samples.TEXT, samples.TOOL_USE]},
            {"role": "user", "content": [result, {"type": "text", "text": "And now?"}]},
        ],
        "max_tokens": 9,
        "metadata": {"user_id": "ann"},
        "tool_choice": {"type": "tool", "name": "weather"},
    }
    asked = read_request("messages", body)
    system, user, assistant, tool, last = asked.messages
    assert system == {"role": "system", "content": "Be brief."}
    assert user["content"][1] == {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    assert (assistant["content"], assistant["reasoning_content"]) == (SAID, THOUGHT)
    assert json.loads(assistant["tool_calls"][0]["function"]["arguments"]) == json.loads(ARGUMENTS)
    assert tool == {"role": "tool", "tool_call_id": "toolu_1", "content": "21°", "is_error": True}
    assert last == {"role": "user", "content": "And now?"}
    choice = {"type": "function", "function": {"name": "weather"}}
    assert asked.params == {"max_tokens": 9, "tool_choice": choice} and asked.user == "ann"


def test_a_turn_of_responses_is_read_as_a_chat() -> None:
    body = {
        "model": "gpt",
        "instructions": "Be brief.",
        "input": [
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "Hi"}, {"type": "input_image", "image_url": "u"}],
            },
            samples.THOUGHT_ITEM,
            samples.CALL_ITEM,
            {"type": "function_call_output", "call_id": "call_1", "output": "21°"},
            {"type": "message", "role": "developer", "content": "Now."},
            {"type": "web_search_call", "id": "ws_1", "action": {"query": "Tokyo"}},
        ],
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}, "verbosity": "low"},
        "max_output_tokens": 7,
        "conversation": {"id": "conv_1"},
        "user": "ann",
    }
    asked = read_request("responses", body)
    assert [message["role"] for message in asked.messages] == [
        "system", "user", "assistant", "tool", "developer", "assistant",
    ]  # fmt: skip
    assert asked.messages[1]["content"][1] == {"type": "image_url", "image_url": {"url": "u"}}
    assert asked.messages[2]["reasoning_content"] == THOUGHT and asked.messages[2]["tool_calls"] == [CALL]
    assert asked.messages[3] == {"role": "tool", "tool_call_id": "call_1", "content": "21°"}
    assert asked.messages[5]["content"][0]["action"] == {"query": "Tokyo"}
    format_ = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    assert asked.params["response_format"] == format_ and asked.params["max_completion_tokens"] == 7
    assert (asked.params["verbosity"], asked.session, asked.user) == ("low", "conv_1", "ann")


@pytest.mark.parametrize(
    ("prompt", "contents"),
    [
        ("Once", ["Once"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [[{"type": "token_ids", "token_ids": [1, 2]}]]),
        ([[1], [2]], [[{"type": "token_ids", "token_ids": [1]}], [{"type": "token_ids", "token_ids": [2]}]]),
    ],
)
def test_prompts_become_users_messages(prompt: Any, contents: Any) -> None:
    for endpoint, name in (("completions", "prompt"), ("embeddings", "input")):
        asked = read_request(endpoint, {"model": "m", name: prompt, "dimensions": 3})
        assert [message["content"] for message in asked.messages] == contents and asked.params == {"dimensions": 3}


# anything at all

Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
WORDS = [
    "messages",
    "content",
    "role",
    "type",
    "text",
    "input",
    "output",
    "tools",
    "system",
    "choices",
    "delta",
    "index",
    "message",
    "usage",
    "item",
    "response",
    "error",
    "function",
    "arguments",
    "name",
    "tool_calls",
    "logprobs",
    "data",
    "embedding",
    "instructions",
    "prompt",
    "model",
    "metadata",
    "block",
    "content_block",
    "partial_json",
    "output_index",
    "content_index",
    "summary",
    "status",
    "stop_reason",
    "finish_reason",
    "id",
    "call_id",
    "conversation",
    "user",
]
TYPES = sorted(
    {event["type"] for event in samples.response_events("m", True) + samples.message_events("m", True)}
    | {"message", "function_call", "reasoning", "tool_use", "tool_result", "text", "image", "error", "input_text"}
)
Odd = st.recursive(
    st.none() | st.integers(-2, 3) | st.text(max_size=4) | st.sampled_from(TYPES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=20,
)
Endpoint = st.sampled_from([*WIRES, "unheard-of"])


@FEW
@given(Endpoint, st.dictionaries(st.sampled_from(WORDS), Odd, max_size=6))
def test_no_request_is_too_odd(endpoint: str, body: dict[str, Any]) -> None:
    asked = read_request(endpoint, body)
    assert all(isinstance(message, dict) for message in asked.messages) and isinstance(asked.model, str)
    assert asked.user is None or isinstance(asked.user, str)


@FEW
@given(Endpoint, st.binary(max_size=60) | Odd.map(lambda value: json.dumps(value).encode()), st.booleans())
def test_no_answer_is_too_odd(endpoint: str, body: bytes, sse: bool) -> None:
    answer = read_reply(endpoint, body, sse)
    assert isinstance(answer.message, dict) and isinstance(answer.usage, dict)


@FEW
@given(Endpoint, st.lists(Odd, max_size=6))
def test_no_stream_is_too_odd(endpoint: str, events: list[Any]) -> None:
    answer = read_reply(endpoint, samples.data(*events), sse=True)
    assert isinstance(answer.message, dict) and isinstance(answer.choices, list)


Text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), min_size=1, max_size=30)


@given(st.lists(Text, min_size=1, max_size=5), st.integers(1, 40))
def test_no_text_of_a_stream_is_lost(pieces: list[str], size: int) -> None:
    text = "".join(pieces)
    chunk = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    block = [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": p}} for p in pieces]
    delta = [
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": piece}
        for piece in pieces
    ]
    for endpoint, events in (("chat", chunk), ("messages", block), ("responses", delta)):
        assert read_reply(endpoint, samples.data(*events), sse=True).message["content"] == text


@given(Text, Text, Text, Text)
def test_no_text_of_a_request_is_lost(first: str, second: str, third: str, fourth: str) -> None:
    anthropics = [
        {"role": "user", "content": [{"type": "text", "text": first}, {"type": "tool_result", "content": second}]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": third}, {"type": "odd", "body": fourth}]},
    ]
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": first}, {"type": "odd", "body": second}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": third}]},
        {"type": "function_call_output", "output": fourth},
    ]
    for asked in (
        read_request("messages", {"messages": anthropics}),
        read_request("responses", {"input": items}),
        read_request("completions", {"prompt": [first, second, third, fourth]}),
    ):
        said = list(_strings(asked.messages))
        assert all(text in said for text in (first, second, third, fourth))


def _strings(value: Any) -> Any:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(inner)
