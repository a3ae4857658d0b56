"""The clients people use get answers from the embedded server: InferenceClient, openai, plain HTTP."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import OverloadedError, UnknownError, ValidationError

from tests.fakes.serving import RunningServer

pytestmark = pytest.mark.slow


@pytest.fixture
def inference(server: RunningServer) -> InferenceClient:
    return InferenceClient(base_url=server.url, api_key=server.key, timeout=30)


@pytest.fixture
def chat(server: RunningServer) -> Any:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key, max_retries=0)

    def create(**request: Any) -> Any:
        asked = {"model": server.name, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 12, **request}
        return client.chat.completions.create(**asked)

    return create


def test_text_generation_plain_and_streamed_give_the_same_greedy_text(inference: InferenceClient) -> None:
    whole = inference.text_generation("The app", max_new_tokens=10)
    pieces = list(inference.text_generation("The app", max_new_tokens=10, stream=True))
    assert whole and "".join(pieces).removesuffix("\ufffd") in whole + "\ufffd"


def test_text_generation_details_count_and_name_the_tokens(inference: InferenceClient) -> None:
    found = inference.text_generation("The app", max_new_tokens=6, details=True)
    assert found.details is not None
    assert (found.details.finish_reason, found.details.generated_tokens) == ("length", 6)
    assert len(found.details.tokens) == 6


def test_streamed_details_end_with_the_reason(inference: InferenceClient) -> None:
    events = list(inference.text_generation("The app", max_new_tokens=5, stream=True, details=True))
    assert [event.details is None for event in events] == [True] * 4 + [False]
    assert events[-1].details is not None and events[-1].details.finish_reason == "length"
    assert events[-1].generated_text


def test_inference_client_chats_plain_and_streamed(inference: InferenceClient, server: RunningServer) -> None:
    asked: dict[str, Any] = {"model": server.name, "max_tokens": 8, "temperature": 0}
    messages = [{"role": "user", "content": "Hello"}]
    whole = inference.chat_completion(messages, **asked).choices[0].message.content
    pieces = [
        chunk.choices[0].delta.content or "" for chunk in inference.chat_completion(messages, stream=True, **asked)
    ]
    assert whole == "".join(pieces) != ""


def test_openai_chats_plain_and_streamed_with_usage(chat: Callable[..., Any]) -> None:
    whole = chat(temperature=0)
    assert whole.usage.completion_tokens == 12 and whole.choices[0].finish_reason == "length"
    chunks = list(chat(temperature=0, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage
    assert chunks[-2].choices[0].finish_reason == "length"


def test_the_golden_answers_of_training_come_back_token_by_token(inference: InferenceClient, tiny_models: Path) -> None:
    for prompt in json.loads((tiny_models / "golden.json").read_text())["prompts"]:
        found = inference.text_generation(prompt["text"], max_new_tokens=8, details=True)
        assert found.details is not None
        ids = [token.id for token in found.details.tokens if not token.special]
        assert ids == prompt["tuned_tokens"][:8]


def test_a_stop_string_ends_the_answer_and_is_not_part_of_it(chat: Callable[..., Any]) -> None:
    whole = chat(temperature=0).choices[0].message.content
    stop = whole[3:5]
    assert stop
    stopped = chat(temperature=0, stop=[stop])
    assert stopped.choices[0].message.content == whole[: whole.index(stop)]
    assert stopped.choices[0].finish_reason == "stop"
    pieces = [chunk.choices[0].delta.content or "" for chunk in chat(temperature=0, stop=[stop], stream=True)]
    assert "".join(pieces) == stopped.choices[0].message.content


def test_sampling_is_per_request(chat: Callable[..., Any]) -> None:
    sampled = {chat(temperature=1.5).choices[0].message.content for _ in range(5)}
    greedy = {chat(temperature=0).choices[0].message.content for _ in range(3)}
    assert len(sampled) > 1 and len(greedy) == 1


def test_out_of_range_parameters_raise_the_clients_validation_error(inference: InferenceClient) -> None:
    with pytest.raises(ValidationError, match="max_new_tokens"):
        inference.text_generation("x", max_new_tokens=0)


def test_a_prompt_longer_than_the_context_is_refused_with_the_numbers(inference: InferenceClient) -> None:
    with pytest.raises(ValidationError, match="must be <= 512"):
        inference.text_generation("x", max_new_tokens=600)


def test_another_models_name_is_refused_rather_than_answered_by_these_weights(
    chat: Callable[..., Any], inference: InferenceClient
) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        chat(model="somebody-else")
    assert "does not exist here" in missing.value.response.text
    with pytest.raises(UnknownError, match="does not exist here"):
        inference.text_generation("x", adapter_id="somebody-else")


def test_a_wrong_key_is_refused(server: RunningServer) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model=server.name, messages=[{"role": "user", "content": "x"}])


@pytest.mark.parametrize(
    "request_part",
    [
        {"response_format": {"type": "regex", "value": "a"}},
        {"tool_choice": "required", "tools": []},
        {"extra_body": {"best_of": 2}},
        {"extra_body": {"min_p": 0.1}},
    ],
)
def test_what_cannot_be_honoured_is_refused_not_ignored(chat: Callable[..., Any], request_part: dict[str, Any]) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        chat(**request_part)
    assert refused.value.response.json()["error_type"] == "validation"


def test_too_many_requests_at_once_are_told_so(server: RunningServer) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def ask(_number: int) -> str:
        client = InferenceClient(base_url=server.url, api_key=server.key, timeout=60)
        try:
            client.text_generation("The app", max_new_tokens=300, do_sample=True, temperature=1.0)
        except OverloadedError:
            return "overloaded"
        return "answered"

    with ThreadPoolExecutor(12) as pool:
        outcomes = list(pool.map(ask, range(12)))
    assert outcomes.count("answered") >= 4 and "overloaded" in outcomes


def test_tools_are_accepted_and_a_plain_answer_stays_text(chat: Callable[..., Any]) -> None:
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
    whole = chat(temperature=0, tools=[tool])
    assert whole.choices[0].message.tool_calls is None and whole.choices[0].message.content
    pieces = [chunk.choices[0].delta.content or "" for chunk in chat(temperature=0, tools=[tool], stream=True)]
    assert "".join(pieces) == whole.choices[0].message.content


@pytest.mark.parametrize("stream", [False, True])
def test_promised_json_is_never_broken_json(chat: Callable[..., Any], stream: bool) -> None:
    whole = chat(temperature=0).choices[0].message.content
    stop = whole[3:5]
    with pytest.raises(openai.APIError):
        list(chat(temperature=0, stop=[stop], stream=stream, response_format={"type": "json_object"}))
