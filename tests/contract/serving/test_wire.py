"""TGI's wire format, byte by byte where clients depend on it."""

import json
import time
from typing import Any

import httpx
import pytest

from tests.fakes.serving import RunningServer

pytestmark = pytest.mark.slow
JSON = {"content-type": "application/json"}
CHAT = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def http(server: RunningServer) -> Any:
    with httpx.Client(
        base_url=server.url, headers={"authorization": f"Bearer {server.key}"}, timeout=30, trust_env=False
    ) as client:
        yield client


def test_health_info_models_and_metrics_are_open(server: RunningServer) -> None:
    with httpx.Client(base_url=server.url, trust_env=False) as anyone:
        assert anyone.get("/health").status_code == anyone.get("/").status_code == 200
        info = anyone.get("/info").json()
        assert (info["model_id"], info["max_total_tokens"], info["max_concurrent_requests"]) == ("tiny-r1", 512, 4)
        assert [model["id"] for model in anyone.get("/v1/models").json()["data"]] == ["tiny-r1"]
        assert "tgi_request_count" in anyone.get("/metrics").text


@pytest.mark.parametrize(
    "path", ["/", "/generate", "/generate_stream", "/v1/chat/completions", "/tokenize", "/chat_tokenize"]
)
def test_every_inference_route_needs_the_key_and_says_nothing_without_it(server: RunningServer, path: str) -> None:
    refused = httpx.post(f"{server.url}{path}", json={"inputs": "x", "messages": CHAT}, trust_env=False)
    assert (refused.status_code, refused.content) == (401, b"")


def test_the_root_route_answers_with_a_list_and_generate_with_an_object(http: httpx.Client) -> None:
    body = {"inputs": "The app", "parameters": {"max_new_tokens": 3}}
    assert list(http.post("/", json=body).json()[0]) == ["generated_text"]
    assert list(http.post("/generate", json=body).json()) == ["generated_text"]


def test_a_plain_reply_carries_tgis_timing_headers(http: httpx.Client) -> None:
    reply = http.post("/generate", json={"inputs": "The app", "parameters": {"max_new_tokens": 3}})
    assert reply.headers["x-generated-tokens"] == "3"
    assert int(reply.headers["x-prompt-tokens"]) > 0 and reply.headers["x-compute-type"] in ("cpu", "cuda")


def test_return_full_text_puts_the_prompt_first(http: httpx.Client) -> None:
    parameters = {"max_new_tokens": 3, "return_full_text": True}
    reply = http.post("/generate", json={"inputs": "The app", "parameters": parameters})
    assert reply.json()["generated_text"].startswith("The app")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "missing field `inputs`"),
        ({"inputs": 5}, "inputs"),
        ({"inputs": "x", "parameters": {"temperature": "hot"}}, "parameters.temperature"),
    ],
)
def test_a_body_of_the_wrong_shape_is_a_plain_text_422(http: httpx.Client, body: dict[str, Any], says: str) -> None:
    reply = http.post("/generate", json=body)
    assert reply.status_code == 422 and reply.headers["content-type"].startswith("text/plain")
    assert says in reply.text


def test_a_body_that_is_not_json_is_a_400(http: httpx.Client) -> None:
    assert http.post("/generate", content=b"{nope", headers=JSON).status_code == 400


@pytest.mark.parametrize(
    "parameters",
    [
        {"temperature": 0.0},
        {"top_p": 1.0},
        {"top_k": 0},
        {"stop": ["a", "b", "c", "d", "e"]},
        {"grammar": {"type": "json"}},
        {"best_of": 2},
        {"repetition_penalty": 0.0},
    ],
)
@pytest.mark.parametrize("path", ["/generate", "/generate_stream"])
def test_bad_parameters_are_tgis_validation_error(http: httpx.Client, path: str, parameters: dict[str, Any]) -> None:
    reply = http.post(path, json={"inputs": "x", "parameters": parameters})
    assert reply.status_code == 422
    assert reply.json()["error_type"] == "validation" and reply.json()["error"].startswith("Input validation error: ")


def test_a_native_stop_string_is_part_of_the_text_and_named_as_the_reason(http: httpx.Client) -> None:
    whole = http.post("/generate", json={"inputs": "The app", "parameters": {"max_new_tokens": 12}}).json()
    stop = whole["generated_text"][2:4]
    parameters = {"max_new_tokens": 12, "stop": [stop], "details": True}
    stopped = http.post("/generate", json={"inputs": "The app", "parameters": parameters}).json()
    assert stop in stopped["generated_text"]
    assert stopped["details"]["finish_reason"] == "stop_sequence"


def test_tokenize_gives_ids_and_places(http: httpx.Client) -> None:
    tokens = http.post("/tokenize", json={"inputs": "The app crashes"}).json()
    assert "".join(token["text"] for token in tokens) == "The app crashes"
    assert all(set(token) == {"id", "text", "start", "stop"} for token in tokens)


def test_chat_tokenize_shows_the_exact_prompt(http: httpx.Client) -> None:
    found = http.post("/chat_tokenize", json={"messages": CHAT}).json()
    assert found["templated_text"] == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    used = http.post("/v1/chat/completions", json={"messages": CHAT, "max_tokens": 1}).json()["usage"]
    assert used["prompt_tokens"] == len(found["tokenize_response"])


def test_content_parts_of_text_are_joined_and_images_refused(http: httpx.Client) -> None:
    parts = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]
    found = http.post("/chat_tokenize", json={"messages": [{"role": "user", "content": parts}]}).json()
    assert "user\nHello<|im_end|>" in found["templated_text"]
    image = [{"type": "image_url", "image_url": {"url": "http://x"}}]
    refused = http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": image}]})
    assert refused.status_code == 422 and "only text" in refused.json()["error"]


def test_an_empty_conversation_is_refused(http: httpx.Client) -> None:
    assert http.post("/v1/chat/completions", json={"messages": []}).status_code == 422


def test_a_chat_stream_ends_with_done(http: httpx.Client) -> None:
    body = {"messages": CHAT, "max_tokens": 3, "stream": True}
    events = [line for line in http.post("/v1/chat/completions", json=body).text.split("\n\n") if line]
    assert events[-1] == "data: [DONE]"
    assert json.loads(events[0][6:])["choices"][0]["delta"]["role"] == "assistant"


@pytest.mark.parametrize("stream", [True, False])
def test_a_caller_who_hangs_up_frees_the_place_in_the_batch(http: httpx.Client, stream: bool) -> None:
    body = {"inputs": "The app", "parameters": {"max_new_tokens": 480, "temperature": 1.0}, "stream": stream}
    try:
        with http.stream("POST", "/", json=body, timeout=0.15) as reply:
            next(reply.iter_lines())
    except httpx.TimeoutException:
        pass  # hanging up is the point
    deadline = time.monotonic() + 60
    while _running(http) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _running(http) == 0


def _running(http: httpx.Client) -> int:
    line = next(line for line in http.get("/metrics").text.splitlines() if line.startswith("tgi_batch_current_size"))
    return int(line.split()[1])
