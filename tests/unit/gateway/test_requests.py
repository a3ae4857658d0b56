"""What goes to the upstream, what comes back, and what never does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio.deploy.router import Route
from studio.gateway.body import Body
from studio.gateway.dialects import error_event, servers_fault, told_error
from studio.gateway.errors import ApiError
from studio.gateway.headers import copy_headers, to_caller, to_upstream
from studio.gateway.http import Request
from studio.gateway.restore import ModelName, SameName
from studio.gateway.usage import has_error, tokens_told

MESSAGES = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
NAMED, N = {"name": "answer", "schema": SCHEMA}, {"name": "n", "schema": SCHEMA}


def request(**headers: str) -> Request:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    async def nothing(*_: Any) -> Any: ...

    return Request({"method": "POST", "path": "/", "headers": pairs}, nothing, nothing)


def route(**facts: Any) -> Route:
    return Route(**{"base_url": "http://up/v1", "upstream_model": "up", "name": "alias", **facts})


def sent(route: Route, **fields: Any) -> Any:
    raw = json.dumps({"model": "alias", "messages": MESSAGES, **fields}).encode()
    return json.loads(Body.read(raw, request()).for_route(route))


def test_the_callers_bytes_are_sent_on_when_nothing_has_to_change() -> None:
    raw = b'{ "model" : "up",   "messages":[{"role":"user","content":"caf\\u00e9"}], "seed": 1e2 }'
    assert Body.read(raw, request()).for_route(route()) is raw


def test_the_alias_is_replaced_and_everything_unknown_is_kept() -> None:
    assert sent(route(), top_k=3, extra={"a": [1]}) == {
        "model": "up",
        "messages": MESSAGES,
        "top_k": 3,
        "extra": {"a": [1]},
    }


@pytest.mark.parametrize(
    "field", ["api_base", "base_url", "api_key", "api_version", "custom_llm_provider", "fallbacks", "user_config"]
)
def test_no_field_of_the_caller_chooses_the_server(field: str) -> None:
    assert sent(route(), **{field: "http://169.254.169.254"}) == {"model": "up", "messages": MESSAGES}


def test_metadata_is_sent_on_only_where_the_call_is_stored() -> None:
    assert "metadata" not in sent(route(), metadata={"a": "b"})
    assert sent(route(), metadata={"a": "b"}, store=True)["metadata"] == {"a": "b"}


@pytest.mark.parametrize(
    ("asked", "tgi"),
    [
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "array"}}},
            {"type": "json_object", "value": {"type": "array"}},
        ),
        ({"type": "json_schema"}, {"type": "json_object", "value": {"type": "object"}}),
        ({"type": "json_schema", "json_schema": {"schema": "no"}}, {"type": "json_object", "value": "no"}),
        ({"type": "json_object"}, {"type": "json_object", "value": {"type": "object"}}),
        ({"type": "json_object", "value": {"x": 1}}, {"type": "json_object", "value": {"x": 1}}),
        ({"type": "text"}, None),
        ("odd", "odd"),
    ],
)
def test_a_response_format_is_put_in_tgis_words_for_a_revision_on_tgi_only(asked: Any, tgi: Any) -> None:
    assert sent(route(dialect="tgi", revision_id="r"), response_format=asked).get("response_format") == tgi
    assert sent(route(), response_format=asked)["response_format"] == asked


@pytest.mark.parametrize("field", ["reasoning_effort", "store", "service_tier", "verbosity"])
def test_what_steers_a_companys_own_models_is_not_sent_to_a_revision_on_tgi(field: str) -> None:
    assert field not in sent(route(dialect="tgi", revision_id="r"), **{field: "x"})
    assert sent(route(), **{field: "x"})[field] == "x"


@pytest.mark.parametrize("dialect", ["vllm", "openai"])
@pytest.mark.parametrize(
    ("asked", "openai"),
    [
        ({"type": "json_object", "value": SCHEMA}, {"type": "json_schema", "json_schema": NAMED}),
        ({"type": "json", "value": SCHEMA}, {"type": "json_schema", "json_schema": NAMED}),
        ({"type": "json_schema", "value": {"name": "n", "schema": SCHEMA}}, {"type": "json_schema", "json_schema": N}),
        ({"type": "json_schema", "json_schema": N}, {"type": "json_schema", "json_schema": N}),
        ({"type": "json_object"}, {"type": "json_object"}),
        ({"type": "regex", "value": "a+"}, {"type": "regex", "value": "a+"}),
    ],
)
def test_a_schema_in_tgis_words_is_understood_by_a_revision_elsewhere(dialect: str, asked: Any, openai: Any) -> None:
    assert sent(route(dialect=dialect, revision_id="r"), response_format=asked)["response_format"] == openai


@pytest.mark.parametrize("field", ["adapter_id", "lora_request", "lora_path"])
def test_a_caller_of_an_alias_cannot_choose_the_weights(field: str) -> None:
    body = Body.read(json.dumps({"model": "alias", "messages": MESSAGES, field: "other"}).encode(), request())
    nested = json.dumps({"model": "alias", "messages": MESSAGES, "parameters": {field: "other"}}).encode()
    for asked in (body, Body.read(nested, request())):
        with pytest.raises(ApiError, match=f"`{field}` is not possible with the alias 'alias'") as told:
            asked.refuse_choice_of_weights(route(deployment_id="d"))
        assert told.value.status == 400
    body.refuse_choice_of_weights(route())  # a provider's own model under its own name: the provider's matter


def test_a_copy_for_a_shadow_is_the_same_request_in_one_piece() -> None:
    fields = {"temperature": 0.7, "stream": True, "stream_options": {"include_usage": True}, "api_key": "x"}
    raw = json.dumps({"model": "alias", "messages": MESSAGES, **fields}).encode()
    copy = json.loads(Body.read(raw, request()).copy_for(route(upstream_model="triage-r2")))
    assert copy == {"model": "triage-r2", "messages": MESSAGES, "temperature": 0.7}
    assert dict(copy_headers(route(api_key="sk-shadow")))[b"authorization"] == b"Bearer sk-shadow"


def test_an_answer_of_an_alias_says_which_route_gave_it() -> None:
    revision = route(deployment_id="d", revision_id="r1", upstream_model="triage-r1\n")
    assert dict(to_caller([], "u", revision)) == {
        b"x-whetstone-log-id": b"u",
        b"x-whetstone-route": b"r1",
        b"x-whetstone-served-by": b"triage-r1",
    }
    assert dict(to_caller([], "u", route())) == {b"x-whetstone-log-id": b"u"}


def test_the_callers_key_and_cookies_never_leave_and_the_providers_key_never_comes_back() -> None:
    came = request(
        authorization="Bearer wk-mine", cookie="a=b", x_api_key="x", openai_organization="o", x_request_id="r"
    )
    headers = dict(to_upstream(came, route(api_key="sk-up\r\nevil: 1"), stream=True))
    assert headers[b"authorization"] == b"Bearer sk-upevil:1" and headers[b"x-request-id"] == b"r"
    assert not set(headers) & {b"cookie", b"x-api-key", b"openai-organization", b"evil"}
    back = dict(
        to_caller(
            [(b"set-cookie", b"s"), (b"x-ratelimit-remaining", b"3"), (b"server", b"x"), (b"retry-after", b"1")],
            "u",
            None,
        )
    )
    assert back == {b"x-ratelimit-remaining": b"3", b"retry-after": b"1", b"x-whetstone-log-id": b"u"}


def test_a_sticky_key_is_the_user_else_the_session() -> None:
    raw = json.dumps({"model": "a", "messages": MESSAGES, "user": "ann"}).encode()
    assert Body.read(raw, request(x_session_id="s")).sticky_key == "ann"
    assert Body.read(raw.replace(b'"ann"', b"7"), request(x_session_id="s")).sticky_key == "s"
    assert Body.read(raw.replace(b'"ann"', b"7"), request()).sticky_key is None


@pytest.mark.parametrize("raw", [b"", b"{", b'{"a": 1,}', b"\xff", b'{"model": "\\ud800"}'])
def test_malformed_json_is_refused_with_its_place(raw: bytes) -> None:
    with pytest.raises(ApiError, match="line 1, column") as told:
        Body.read(raw, request())
    assert told.value.status == 400


STREAM = (
    'data: {"id":"1","model":"up","choices":[{"delta":{"content":"say \\"model\\": \\"up\\""}}]}\r\n\r\n'
    'data: {"choices":[{"delta":{"content":"é東"}}], "model" : "up-2026"}\n\n: ping\n\ndata: [DONE]\n\n'
).encode()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 40, 1000])
def test_the_alias_is_restored_in_a_stream_cut_anywhere(size: int) -> None:
    names = ModelName('my "alias"')
    pieces = [names.feed(STREAM[at : at + size]) for at in range(0, len(STREAM), size)]
    expected = STREAM.replace(b'"model":"up"', b'"model":"my \\"alias\\""').replace(
        b'"model" : "up-2026"', b'"model":"my \\"alias\\""'
    )
    assert b"".join(pieces) + names.flush() == expected


def test_the_last_line_without_an_end_is_not_lost() -> None:
    names = ModelName("a")
    assert names.feed(b'data: {"model":"up"}') == b"" and names.flush() == b'data: {"model":"a"}'


def test_a_providers_own_model_passes_unchanged() -> None:
    assert SameName().feed(STREAM) is STREAM and SameName().in_body(STREAM) is STREAM


@pytest.mark.parametrize(
    ("status", "body", "told", "message"),
    [
        (429, b'{"error": {"message": "slow down", "code": "x"}}', 429, "slow down"),
        (424, b'{"error": "failed", "error_type": "generation"}', 502, "failed"),
        (422, b'{"error": "too long", "error_type": "validation"}', 422, "too long"),
        (500, b"Internal Server Error", 500, "Internal Server Error"),
        (503, b"", 503, "answered 503"),
        (401, b'{"error": {"message": "Incorrect API key provided: sk-abc"}}', 502, "refused the studio's key"),
        (403, b"no", 502, "refused the studio's key"),
        (307, b"", 502, "answered with a redirect"),
    ],
)
def test_upstream_errors_are_told_in_one_form(status: int, body: bytes, told: int, message: str) -> None:
    code, answer = told_error(status, body)
    assert code == told and message in json.loads(answer)["error"]["message"]
    assert b"sk-abc" not in answer


@pytest.mark.parametrize(
    ("status", "alias", "other"),
    [
        *((status, False, False) for status in (200, 400, 413, 422)),
        *((status, True, True) for status in (307, 424, 429, 500, 502, 503)),
        *((status, True, False) for status in (401, 403, 404)),
    ],
)
def test_what_is_the_servers_fault_may_be_asked_elsewhere_and_a_callers_mistake_never_is(
    status: int, alias: bool, other: bool
) -> None:
    assert servers_fault(status, route(deployment_id="d")) is alias and servers_fault(status, route()) is other


def test_a_server_that_lacks_its_model_is_told_as_broken_without_its_inner_names() -> None:
    code, answer = told_error(404, b'{"error": {"message": "no triage-r9"}}', route(deployment_id="d"))
    assert code == 502 and b"does not know the model it is to serve (up)" in answer and b"r9" not in answer
    assert told_error(404, b'{"error": {"message": "no gpt-9"}}', route())[0] == 404


@pytest.mark.parametrize(
    ("piece", "status"),
    [
        (b'data:{"error":"`inputs` too long","error_type":"validation"}\n\n', 422),
        (b'data: {"error":{"message":"too long","http_status_code":422}}\n\ndata: [DONE]\n\n', 422),
        (b'data: {"error":"busy","error_type":"overloaded"}\n\n', 429),
        (b'data: {"error":"?"}\n\n', 502),
    ],
)
def test_a_stream_that_begins_with_an_error_has_the_errors_status(piece: bytes, status: int) -> None:
    found = error_event(piece)
    assert found is not None and found[0] == status and "error" in json.loads(found[1])


def test_a_stream_that_begins_with_an_answer_has_no_error() -> None:
    assert error_event(b'data: {"choices":[{"delta":{"content":"data: {\\"error\\""}}]}\n\n') is None
    assert error_event(b'data: {"error": cut') is None
    assert not has_error(STREAM) and has_error(STREAM + b'data: {"error": {}}\n\n')


def test_tokens_are_read_from_the_usage_and_else_counted_by_events() -> None:
    usage = (
        b'{"choices":[{"message":{"content":"\\"usage\\": {}"}}],"usage":{"prompt_tokens": 12,"completion_tokens":3}}'
    )
    assert tokens_told(b"", usage, False) == (12, 3) and tokens_told(b"x" * 40, b"{}", False) == (0, 0)
    events = b'data: {"a":1}\n\n' * 5 + b"data: [DONE]\n\n"
    assert tokens_told(b"x" * 40, events, True) == (10, 4)
    assert tokens_told(b"", events + usage, True) == (12, 3)
