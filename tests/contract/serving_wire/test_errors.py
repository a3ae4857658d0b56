"""Every error: its status, its body, and the exception it becomes in InferenceClient and the openai SDK."""

from typing import Any

import openai
import pytest
from huggingface_hub.errors import (
    GenerationError,
    HfHubHTTPError,
    IncompleteGenerationError,
    OverloadedError,
    UnknownError,
    ValidationError,
)

from tests.contract.serving_wire.conftest import Wire

pytestmark = pytest.mark.slow
ROUTES = ["/", "/generate", "/generate_stream", "/v1/chat/completions", "/tokenize"]
HELLO = [{"role": "user", "content": "Hello"}]
JSON = {"content-type": "application/json", "authorization": "Bearer sk-tiny"}
NATIVE: list[tuple[str, type[Exception]]] = [
    ("generation", GenerationError),
    ("overloaded", OverloadedError),
    ("incomplete", IncompleteGenerationError),
    ("template", UnknownError),
]
CHAT: list[tuple[str, int, type[openai.APIStatusError]]] = [
    ("generation", 424, openai.APIStatusError),
    ("overloaded", 429, openai.RateLimitError),
    ("incomplete", 500, openai.InternalServerError),
    ("template", 422, openai.UnprocessableEntityError),
]
OUT_OF_RANGE: list[tuple[dict[str, Any], str]] = [
    ({"temperature": 0.0}, "`temperature` must be strictly positive"),
    ({"top_p": 1.0}, "`top_p` must be > 0.0 and < 1.0"),
    ({"typical_p": 0.0}, "`typical_p` must be > 0.0 and < 1.0"),
    ({"top_k": 0}, "`top_k` must be strictly positive"),
    ({"repetition_penalty": 0.0}, "`repetition_penalty` must be strictly positive"),
    ({"frequency_penalty": 3.0}, "`frequency_penalty` must be >= -2.0 and <= 2.0"),
    ({"max_new_tokens": 0}, "`max_new_tokens` must be strictly positive"),
    ({"stop": list("abcde")}, "`stop` supports up to 4 stop sequences. Given: 5"),
    ({"max_new_tokens": 600}, "`inputs` tokens + `max_new_tokens` must be <= 512. Given: "),
    ({"top_n_tokens": 1000}, "`top_n_tokens` must be >= 0 and <= "),
]


@pytest.mark.parametrize(("kind", "error"), NATIVE)
@pytest.mark.parametrize("stream", [False, True])
def test_native_errors_are_the_clients_own_exceptions(
    wire: Wire, kind: str, error: type[Exception], stream: bool
) -> None:
    client = wire.inference()  # a client that nobody holds closes its streams
    with pytest.raises(error):
        list(client.text_generation(f"fault:{kind} ", max_new_tokens=4, stream=stream))


@pytest.mark.parametrize(("kind", "status", "error"), CHAT)
def test_chat_errors_are_named_by_their_status(
    wire: Wire, kind: str, status: int, error: type[openai.APIStatusError]
) -> None:
    messages = [{"role": "user", "content": f"fault:{kind} "}]
    with pytest.raises(error) as told:
        wire.chat(messages=messages)
    assert told.value.status_code == status
    assert set(told.value.response.json()) == {"error", "error_type"}
    with pytest.raises(HfHubHTTPError) as also:
        wire.inference().chat_completion(messages, model=wire.name, max_tokens=4)
    assert also.value.response.status_code == status


def test_an_error_in_the_middle_of_a_native_stream_is_an_event(wire: Wire) -> None:
    client, pieces = wire.inference(), []
    with pytest.raises(GenerationError, match="planted"):
        for event in client.text_generation("fault:mid-stream ", max_new_tokens=8, stream=True, details=True):
            pieces.append(event.index)
    assert pieces == [1, 2]


def test_an_error_in_the_middle_of_a_chat_stream_is_an_event_before_done(wire: Wire) -> None:
    client, messages = wire.inference(), [{"role": "user", "content": "fault:mid-stream "}]
    with pytest.raises(openai.APIError, match="planted"):
        wire.chat(messages=messages, stream=True)
    with pytest.raises(UnknownError, match="planted"):
        list(client.chat_completion(messages, model=wire.name, max_tokens=8, temperature=0, stream=True))
    body = {"messages": messages, "max_tokens": 8, "temperature": 0, "stream": True}
    reply = wire.post("/v1/chat/completions", body)
    assert reply.status_code == 200
    *_, error, done = [line for line in reply.text.split("\n\n") if line]
    assert '"http_status_code":424' in error.replace(" ", "") and done == "data: [DONE]"


@pytest.mark.parametrize(("parameters", "says"), OUT_OF_RANGE)
def test_what_is_out_of_range_is_a_validation_error_in_tgis_words(
    wire: Wire, parameters: dict[str, Any], says: str
) -> None:
    reply = wire.post("/generate", {"inputs": "The app", "parameters": parameters})
    assert reply.status_code == 422 and reply.json()["error_type"] == "validation"
    assert reply.json()["error"].startswith(f"Input validation error: {says}")


@pytest.mark.parametrize("stream", [False, True])
def test_a_validation_error_is_the_clients_whether_streamed_or_not(wire: Wire, stream: bool) -> None:
    client = wire.inference()
    with pytest.raises(ValidationError, match="max_new_tokens"):
        list(client.text_generation("x", max_new_tokens=0, stream=stream))


def test_a_stream_that_cannot_begin_has_its_own_status_here_and_an_event_under_200_at_tgi(wire: Wire) -> None:
    reply = wire.post("/generate_stream", {"inputs": "x", "parameters": {"max_new_tokens": 0}})
    assert reply.status_code == (422 if wire.strict else 200) and "strictly positive" in reply.text


@pytest.mark.parametrize("path", ROUTES)
def test_without_the_key_nothing_is_said(wire: Wire, path: str) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "sk-tiny"}):
        refused = wire.post(path, {"inputs": "x", "messages": HELLO}, headers=headers)
        assert (refused.status_code, refused.content) == (401, b"")


def test_a_wrong_key_is_the_clients_authentication_error(wire: Wire) -> None:
    with pytest.raises(openai.AuthenticationError):
        wire.chat(key="wrong")
    with pytest.raises(HfHubHTTPError) as refused:
        wire.inference(key="wrong").text_generation("x", max_new_tokens=1)
    assert refused.value.response.status_code == 401


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "missing field `inputs`"),
        ({"inputs": 5}, "inputs: "),
        ([], "Failed to deserialize"),
        ("text", "Failed to deserialize"),
        ({"inputs": "x", "parameters": {"temperature": "hot"}}, "parameters.temperature: "),
        ({"inputs": "x", "parameters": {"max_new_tokens": 1.5}}, "parameters.max_new_tokens: "),
        ({"inputs": "x", "parameters": {"stop": "a"}}, "parameters.stop: "),
        ({"inputs": "x", "parameters": {"details": 1}}, "parameters.details: "),
    ],
)
def test_a_body_of_the_wrong_shape_is_refused_in_plain_text(wire: Wire, body: Any, says: str) -> None:
    reply = wire.post("/generate", body)
    assert reply.status_code == 422 and reply.headers["content-type"].startswith("text/plain")
    assert reply.text.startswith("Failed to deserialize the JSON body into the target type: ") and says in reply.text


@pytest.mark.parametrize("content", [b"", b"{nope", b'{"inputs": NaN}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_refused_in_plain_text(wire: Wire, content: bytes) -> None:
    reply = wire.post("/generate", content=content, headers=JSON)
    assert reply.status_code == 400 and reply.text.startswith("Failed to parse the request body as JSON: ")


def test_a_body_of_another_kind_is_a_415(wire: Wire) -> None:
    reply = wire.post("/generate", content=b"inputs=x", headers=JSON | {"content-type": "text/plain"})
    assert (reply.status_code, reply.text) == (415, "Expected request with `Content-Type: application/json`")


def test_a_body_over_two_megabytes_is_a_413(wire: Wire) -> None:
    reply = wire.post("/generate", {"inputs": "a" * 2_000_001})
    assert (reply.status_code, reply.text) == (413, "Failed to buffer the request body: length limit exceeded")


@pytest.mark.parametrize("route", ["/generate", "/v1/chat/completions"])
def test_a_prompt_longer_than_the_context_is_refused_with_the_numbers(wire: Wire, route: str) -> None:
    text = "The quick fox jumps. " * 500
    body: dict[str, Any] = {"messages": [{"role": "user", "content": text}]} if "chat" in route else {"inputs": text}
    reply = wire.post(route, body)
    assert reply.status_code == 422 and reply.json()["error_type"] == "validation"
    assert "`inputs` must have less than 51" in reply.json()["error"]


@pytest.mark.parametrize("body", [{"messages": []}, {"messages": [], "stream": False}])
def test_an_empty_conversation_is_refused(wire: Wire, body: dict[str, Any]) -> None:
    assert wire.post("/v1/chat/completions", body).status_code == 422


def test_an_empty_text_is_refused(wire: Wire) -> None:
    assert "`inputs` cannot be empty" in wire.post("/generate", {"inputs": ""}).json()["error"]


def test_a_schema_that_is_none_is_refused(wire: Wire) -> None:
    broken = {"type": "json_object", "value": {"type": "nonsense", "properties": {}}}
    reply = wire.post("/v1/chat/completions", {"messages": HELLO, "response_format": broken})
    assert reply.status_code == 422 and "not valid" in reply.text.replace("no valid", "not valid")


def test_no_such_route_is_a_404(wire: Wire) -> None:
    assert wire.post("/v1/embeddings", {"input": "x"}).status_code == 404
