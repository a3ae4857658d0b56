"""Streams and completions become one message."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio.capture.wire.answer import Answer
from studio.capture.wire.catalog import read_reply


def read_completion(body: bytes) -> Answer:
    return read_reply("chat", body, sse=False)


def read_stream(body: bytes) -> Answer:
    return read_reply("chat", body, sse=True)


def sse(*events: Any, done: bool = True) -> bytes:
    lines = [f"data: {json.dumps(event)}\n\n" for event in events] + (["data: [DONE]\n\n"] if done else [])
    return "".join(lines).encode()


def delta(index: int = 0, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"id": "c1", "model": "m", "choices": [{"index": index, "delta": fields, "finish_reason": finish}]}


def test_content_is_joined_with_usage_and_finish_reason() -> None:
    usage = {"id": "c1", "model": "m", "choices": [], "usage": {"prompt_tokens": 3}}
    answer = read_stream(sse(delta(role="assistant", content=""), delta(content="a"), delta(finish="stop"), usage))
    assert answer.message == {"role": "assistant", "content": "a"}
    assert (answer.finish_reason, answer.id, answer.model, answer.usage) == ("stop", "c1", "m", {"prompt_tokens": 3})
    assert answer.complete


def test_tool_calls_are_joined_by_index() -> None:
    def piece(index: int, **call: Any) -> dict[str, Any]:
        return delta(tool_calls=[{"index": index, **call}])

    answer = read_stream(
        sse(
            piece(0, id="a", function={"name": "f", "arguments": ""}),
            piece(1, id="b", function={"name": "g", "arguments": "{"}),
            piece(0, function={"arguments": '{"x":1}'}),
            piece(1, function={"arguments": "}"}),
        )
    )
    calls = [(call["id"], call["function"]) for call in answer.message["tool_calls"]]
    assert calls == [("a", {"name": "f", "arguments": '{"x":1}'}), ("b", {"name": "g", "arguments": "{}"})]
    assert answer.message["content"] is None


def test_the_first_of_several_choices_is_the_answer_and_all_are_kept() -> None:
    answer = read_stream(sse(delta(index=1, content="b"), delta(content="a"), delta(index=1, finish="length")))
    assert answer.message["content"] == "a"
    assert [choice["message"]["content"] for choice in answer.choices] == ["a", "b"]
    assert [choice["finish_reason"] for choice in answer.choices] == [None, "length"]


def test_a_stream_without_its_end_is_incomplete() -> None:
    assert not read_stream(sse(delta(content="a"), done=False)).complete
    assert read_stream(sse(delta(content="a", finish="length"), done=False)).complete


def test_an_error_inside_a_stream_is_found() -> None:
    answer = read_stream(sse(delta(content="a"), {"error": {"message": "overloaded"}}, done=False))
    assert answer.error == "overloaded" and answer.message["content"] == "a"


def test_comments_carriage_returns_and_garbage_between_events_are_passed_by() -> None:
    body = b': ping\r\ndata:{"choices":[{"delta":{"content":"a"}}]}\r\n\r\ndata: {oops\n\nid: x\ndata: [DONE]\r\n\r\n'
    answer = read_stream(body)
    assert answer.message["content"] == "a" and answer.complete


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"error": {"message": "bad"}}', "bad"),
        (b'{"error": "tgi", "error_type": "validation"}', "tgi"),
        (b"<html>", "<html>"),
        (b"[]", "[]"),
    ],
)
def test_an_error_body_has_no_message_but_says_why(body: bytes, error: str) -> None:
    answer = read_completion(body)
    assert answer.error == error and answer.message == {}


@pytest.mark.parametrize(
    "body",
    [b'{"choices": null}', b'{"choices": [1]}', b'{"choices": [{"message": 3}], "usage": 4}', b'{"choices":[{}]}'],
)
def test_odd_completions_make_odd_answers_and_no_crash(body: bytes) -> None:
    assert read_completion(body).message == {}
