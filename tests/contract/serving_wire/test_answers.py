"""What clients of TGI get from it, they get from the embedded server: through InferenceClient and the openai SDK."""

import json
from typing import Any

import openai
import pytest
from huggingface_hub.errors import HfHubHTTPError, UnknownError, ValidationError

from tests.contract.serving_wire.conftest import Wire

pytestmark = pytest.mark.slow
HELLO = [{"role": "user", "content": "Hello"}]
SCHEMA = {"type": "object", "properties": {"priority": {"enum": ["low", "high"]}}, "required": ["priority"]}


def test_text_whole_and_streamed_is_the_same_text(wire: Wire) -> None:
    client = wire.inference()
    whole = client.text_generation("The app", max_new_tokens=8)
    pieces = list(client.text_generation("The app", max_new_tokens=8, stream=True))
    assert whole and len(pieces) > 1 and "".join(pieces) == whole


def test_details_count_and_name_the_tokens(wire: Wire) -> None:
    details = wire.inference().text_generation("The app", max_new_tokens=6, details=True).details
    assert details is not None
    assert (details.finish_reason, details.generated_tokens, len(details.tokens)) == ("length", 6, 6)
    assert all(token.logprob < 0 and not token.special for token in details.tokens)


def test_streamed_details_end_with_the_reason_and_the_whole_text(wire: Wire) -> None:
    client = wire.inference()
    events = list(client.text_generation("The app", max_new_tokens=5, stream=True, details=True))
    assert [event.index for event in events] == [1, 2, 3, 4, 5]
    assert [event.details is None for event in events] == [True] * 4 + [False]
    last = events[-1]
    assert last.details is not None
    assert (last.details.finish_reason, last.details.generated_tokens) == ("length", 5)
    assert last.details.input_length > 0
    assert last.generated_text == client.text_generation("The app", max_new_tokens=5)


def test_the_likeliest_tokens_are_told_when_asked_for(wire: Wire) -> None:
    found = wire.inference().text_generation("The app", max_new_tokens=2, details=True, top_n_tokens=1)
    assert found.details is not None and found.details.top_tokens is not None
    tops: Any = found.details.top_tokens
    assert [best["id"] for [best] in tops] == [token.id for token in found.details.tokens]


def test_the_prompt_comes_first_when_asked_for(wire: Wire) -> None:
    client = wire.inference()
    assert client.text_generation("The app", max_new_tokens=3, return_full_text=True).startswith("The app")


def test_a_stop_string_ends_the_text_and_is_part_of_it(wire: Wire) -> None:
    client = wire.inference()
    whole = client.text_generation("The app", max_new_tokens=12)
    stop = whole[2:4]
    stopped = client.text_generation("The app", max_new_tokens=12, stop=[stop], details=True)
    assert stopped.details is not None
    assert (stopped.details.finish_reason, stop in stopped.generated_text) == ("stop_sequence", True)
    assert whole.startswith(stopped.generated_text)


def test_chat_whole_and_streamed_is_the_same_text_through_both_clients(wire: Wire) -> None:
    asked: dict[str, Any] = {"model": wire.name, "max_tokens": 6, "temperature": 0}
    client = wire.inference()
    whole = client.chat_completion(HELLO, **asked).choices[0].message.content
    chunks = list(client.chat_completion(HELLO, stream=True, **asked))
    assert whole and "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole
    assert wire.chat().choices[0].message.content == whole
    streamed = wire.chat(stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed) == whole
    assert streamed[-1].choices[0].finish_reason == "length"


def test_usage_is_told_at_the_end_of_both(wire: Wire) -> None:
    whole = wire.chat()
    assert whole.usage.completion_tokens == 6 and whole.choices[0].finish_reason == "length"
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + 6
    *_, last = wire.chat(stream=True, stream_options={"include_usage": True})
    assert (last.choices, last.usage) == ([], whole.usage)


def test_chat_streams_end_with_done(wire: Wire) -> None:
    body = {"messages": HELLO, "max_tokens": 3, "stream": True, "temperature": 0}
    events = [line for line in wire.post("/v1/chat/completions", body).text.split("\n\n") if line]
    assert events[-1] == "data: [DONE]"
    assert json.loads(events[0][6:])["choices"][0]["delta"]["role"] == "assistant"


def test_whole_replies_carry_the_timing_headers(wire: Wire) -> None:
    told = wire.post("/generate", {"inputs": "The app", "parameters": {"max_new_tokens": 3}}).headers
    assert told["x-generated-tokens"] == "3" and int(told["x-prompt-tokens"]) > 0
    parts = [int(told[f"x-{name}-time"]) for name in ("validation", "queue", "inference")]
    assert sum(parts) <= int(told["x-total-time"]) + 3  # each is rounded to milliseconds


def test_health_info_models_and_metrics_need_no_key(wire: Wire) -> None:
    assert all(wire.get(path).status_code == 200 for path in ("/", "/health", "/ping"))
    assert wire.get("/health").content == b""
    info = wire.get("/info").json()
    assert info["model_id"] == wire.name and info["max_total_tokens"] == 512
    assert [model["id"] for model in wire.get("/v1/models").json()["data"]] == [wire.name]
    assert "tgi_request_count" in wire.get("/metrics").text


def test_prompts_can_be_seen_as_the_model_sees_them(wire: Wire) -> None:
    shown = wire.post("/chat_tokenize", {"messages": HELLO}).json()
    assert "Hello" in shown["templated_text"] and set(shown) == {"templated_text", "tokenize_response"}
    tokens = wire.post("/tokenize", {"inputs": "The app"}).json()
    assert "".join(token["text"] for token in tokens) == "The app"
    assert all(set(token) == {"id", "text", "start", "stop"} for token in tokens)


# Where TGI and the embedded server part


def test_tgi_answers_for_an_adapter_it_does_not_have_and_the_embedded_server_refuses(wire: Wire) -> None:
    client = wire.inference()
    base = client.text_generation("The app", max_new_tokens=4)
    if wire.strict:
        with pytest.raises(UnknownError, match="does not exist here"):
            client.text_generation("The app", max_new_tokens=4, adapter_id="nobody")
    else:
        assert client.text_generation("The app", max_new_tokens=4, adapter_id="nobody") == base


def test_a_client_without_a_model_name_is_answered_by_tgi_and_refused_here(wire: Wire) -> None:
    asked: dict[str, Any] = {"max_tokens": 4, "temperature": 0}  # the client sends `model: "dummy"` then
    if wire.strict:
        with pytest.raises(HfHubHTTPError) as refused:
            wire.inference().chat_completion(HELLO, **asked)
        assert refused.value.response.status_code == 404
        with pytest.raises(openai.NotFoundError) as missing:
            wire.chat(model="somebody-else")
        assert "does not exist here" in missing.value.response.text
    else:
        assert wire.inference().chat_completion(HELLO, **asked).choices[0].message.content
        assert wire.chat(model="somebody-else").choices[0].message.content


def test_tgi_keeps_to_a_grammar_and_the_embedded_server_refuses_it(wire: Wire) -> None:
    client = wire.inference()
    grammar = {"type": "json", "value": SCHEMA}
    if wire.strict:
        with pytest.raises(ValidationError, match="grammar"):
            client.text_generation("The app", max_new_tokens=9, grammar=grammar)
    else:
        assert json.loads(client.text_generation("The app", max_new_tokens=9, grammar=grammar)) == {"priority": "low"}


def test_tgi_writes_the_promised_json_and_the_embedded_server_gives_it_or_an_error(wire: Wire) -> None:
    spelled = {"type": "json_schema", "json_schema": {"name": "triage", "schema": SCHEMA}}
    ours = {"type": "json_object", "value": SCHEMA}  # what InferenceClient makes of it, and TGI takes
    if wire.strict:  # a random model never writes it; a stop string keeps it from ending at the limit
        stop = wire.chat(max_tokens=12).choices[0].message.content[1:3]
        with pytest.raises(openai.APIStatusError) as broken:
            wire.chat(max_tokens=12, stop=[stop], response_format=spelled)
        assert broken.value.status_code == 424
    else:
        with pytest.raises(openai.UnprocessableEntityError):
            wire.chat(response_format=spelled)
        written = wire.chat(extra_body={"response_format": ours}).choices[0].message.content
        assert json.loads(written) == {"priority": "low"}


def test_tgi_gives_one_answer_where_two_are_asked_for(wire: Wire) -> None:
    assert len(wire.chat(n=2).choices) == (2 if wire.strict else 1)


def test_what_nobody_knows_is_ignored_by_tgi_and_refused_here(wire: Wire) -> None:
    reply = wire.post("/v1/chat/completions", {"messages": HELLO, "max_tokens": 2, "min_p": 0.1})
    assert reply.status_code == (422 if wire.strict else 200)
    if wire.strict:
        assert "`min_p` is not a parameter this server knows" in reply.json()["error"]
