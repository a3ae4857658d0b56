"""Anything a caller or a server may send: refused with a reason or passed on, and no byte of a stream is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from studio.deploy.router import Route
from studio.gateway.body import Body
from studio.gateway.call import Call
from studio.gateway.dialects import error_event, told_error
from studio.gateway.endpoints.catalog import ENDPOINTS
from studio.gateway.endpoints.endpoint import Endpoint
from studio.gateway.errors import ANTHROPIC, OPENAI, RESPONSES, ApiError
from studio.gateway.http import Request
from studio.gateway.keys import KeyOf
from studio.gateway.restore import ModelName, SameName
from tests.fakes import wire_samples as samples

FEW = hypothesis_settings(max_examples=50)
"""Slow to make, so fewer than usual."""
NAMES = [
    "messages",
    "prompt",
    "input",
    "model",
    "metadata",
    "user",
    "safety_identifier",
    "store",
    "stream",
    "tools",
    "response_format",
    "parameters",
    "extra_body",
    "conversation",
    "value",
    "type",
    "json_schema",
    "schema",
    "user_id",
    "adapter_id",
]
Odd = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
Endpoints = st.sampled_from(ENDPOINTS)


def request() -> Request:
    async def nothing(*_: Any) -> Any: ...

    headers = [(b"x-whetstone-tags", b"a=b,,=c"), (b"traceparent", b"00-zz"), (b"x-session-id", b"s" * 500)]
    return Request({"method": "POST", "path": "/", "headers": headers}, nothing, nothing)


def route(endpoint: Endpoint, dialect: str) -> Route:
    return Route("http://up/v1", "up", "alias", kind=endpoint.kind, dialect=dialect, revision_id="r", deployment_id="d")


@FEW
@given(Endpoints, st.dictionaries(st.sampled_from(NAMES), Odd, max_size=8), st.sampled_from(["openai", "tgi", "vllm"]))
def test_no_body_is_too_odd(endpoint: Endpoint, fields: dict[str, Any], dialect: str) -> None:
    raw = json.dumps({"model": "alias", **fields}).encode()
    try:
        body = Body.read(raw, request(), endpoint)
        body.refuse_choice_of_weights(route(endpoint, dialect))
    except ApiError as error:
        assert error.status == 400 and error.message
        return
    sent = json.loads(body.for_route(route(endpoint, dialect)))
    assert sent["model"] == "up" and json.loads(body.copy_for(route(endpoint, dialect)))["model"] == "up"
    assert len(body.facts["session_id"]) == 200 and "trace_id" not in body.facts
    assert body.sticky_key is None or isinstance(body.sticky_key, str)


@given(st.binary(max_size=80), st.lists(st.integers(1, 9), max_size=30))
@example(b"data: a\r\n\r\ndata: b\n\ndata: c", [1] * 30)
def test_a_stream_is_passed_on_byte_for_byte_however_it_is_cut(body: bytes, sizes: list[int]) -> None:
    names, given_on, at = SameName(), b"", 0
    for size in [*sizes, len(body)]:
        given_on += names.feed(body[at : at + size])
        at += size
    assert given_on + names.flush() == body


@pytest.mark.parametrize("size", [1, 2, 5, 64, 10_000])
@pytest.mark.parametrize(
    ("body", "old", "new"),
    [
        (samples.named(*samples.message_events("claude", True)), b'"model":"claude"', b'"model":"mine"'),
        (samples.chat_stream("gpt", n=2, tools=True), b'"model":"gpt"', b'"model":"mine"'),
        (samples.named(*samples.response_events("gpt", True)), b'"model":"gpt"', b'"model":"mine"'),
    ],
)
def test_the_callers_name_is_restored_in_every_format_and_nothing_else_changes(
    body: bytes, old: bytes, new: bytes, size: int
) -> None:
    names = ModelName("mine")
    pieces = [names.feed(body[at : at + size]) for at in range(0, len(body), size)]
    restored = b"".join(pieces) + names.flush()
    assert restored.count(new) == body.count(old) > 0 and old not in restored
    assert _events(restored) == _events(body.replace(old, new))


def _events(body: bytes) -> list[Any]:
    lines = [line[5:] for line in body.split(b"\n") if line.startswith(b"data:") and b"[DONE]" not in line[:15]]
    return [json.loads(line) for line in lines]


@given(st.integers(300, 599), st.binary(max_size=40) | Odd.map(lambda value: json.dumps(value).encode()))
def test_no_error_of_a_server_is_too_odd(status: int, body: bytes) -> None:
    for form in (OPENAI, RESPONSES, ANTHROPIC):
        told, answer = told_error(status, body, None, form)
        assert 400 <= told <= 599 and "error" in json.loads(answer)


@given(Endpoints, st.sampled_from([b"data: ", b"event: error\ndata: ", b"data:"]), Odd | st.binary(max_size=20))
def test_no_first_event_is_too_odd(endpoint: Endpoint, start: bytes, said: Any) -> None:
    body = said if isinstance(said, bytes) else json.dumps({"error": said, "type": "error"}).encode()
    found = error_event(start + body + b"\n\n", endpoint.failures)
    assert found is None or (400 <= found[0] <= 599 and json.loads(found[1]))


@pytest.mark.parametrize("size", [1, 3, 50, 10_000])
@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("chat", samples.chat_stream("m")),
        ("completions", samples.completion_stream("m")),
        ("responses", samples.named(*samples.response_events("m"))),
        ("messages", samples.named(*samples.message_events("m"))),
    ],
)
def test_a_stream_is_complete_with_its_last_event_and_not_before(endpoint: str, body: bytes, size: int) -> None:
    found = next(each for each in ENDPOINTS if each.name == endpoint)
    fields = {"model": "m", "messages": [{}], "prompt": "x", "input": "x"}
    asked = Body(b"{}", fields, {}, None, found)
    call = Call(KeyOf("k", "p"), asked, None, lambda _: None, lambda *_: None)  # type: ignore[arg-type]
    ends = [at for at in range(0, len(body), size) if call.keep(body[at : at + size])]
    last = body.rstrip(b"\n").rfind(b"\n\n") + 2
    assert ends and all(at + size > last for at in ends)
