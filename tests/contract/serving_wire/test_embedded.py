"""What the embedded server can do beyond TGI's wire, or does its own way: asked for real."""

import json
import math
import time
from typing import Any

import httpx
import openai
import pytest

from tests.contract.serving_wire.conftest import KEY, Wire, http
from tests.fakes.serving import RunningServer

pytestmark = pytest.mark.slow
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def here(server: RunningServer) -> Wire:
    return Wire(server.url, server.name, strict=True)


def text(answer: Any) -> str:
    return str(answer.choices[0].message.content)


def generated(here: Wire, **parameters: Any) -> dict[str, Any]:
    asked = {"max_new_tokens": 12, "details": True, **parameters}
    reply = here.post("/generate", {"inputs": "The app", "parameters": asked})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def ids(found: dict[str, Any]) -> list[int]:
    return [token["id"] for token in found["details"]["tokens"]]


def test_the_golden_answers_of_training_come_back_token_by_token(here: Wire, tiny_models: Any) -> None:
    for prompt in json.loads((tiny_models / "golden.json").read_text())["prompts"]:
        body = {"inputs": prompt["text"], "parameters": {"max_new_tokens": 8, "details": True}}
        tokens = here.post("/generate", body).json()["details"]["tokens"]
        assert [token["id"] for token in tokens if not token["special"]] == prompt["tuned_tokens"][:8]


def test_many_answers_at_once_are_the_answers_of_each_alone(here: Wire) -> None:
    from concurrent.futures import ThreadPoolExecutor

    prompts = ["The app", "How do I", "My seat is"]
    asks = [{"inputs": prompt, "parameters": {"max_new_tokens": 20}} for prompt in prompts]
    asks.append({"inputs": "The app", "parameters": {"max_new_tokens": 20, "seed": 5, "temperature": 1.5}})

    def answer(body: dict[str, Any]) -> str:
        return str(here.post("/generate", body).json()["generated_text"])

    alone = [answer(body) for body in asks]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(answer, asks)) == alone


def test_chat_samples_unless_told_not_to_and_a_seed_gives_the_same_answer_again(here: Wire) -> None:
    asked: dict[str, Any] = {"max_tokens": 24, "temperature": 2.0}
    seeded = [text(here.chat(seed=seed, **asked)) for seed in (1, 1, 2, 3)]
    assert seeded[0] == seeded[1] and len(set(seeded)) > 1
    assert text(here.chat(max_tokens=24)) not in seeded
    by_default = here.post("/v1/chat/completions", {"messages": HELLO, "max_tokens": 24, "seed": 1}).json()
    assert by_default["choices"][0]["message"]["content"] == text(here.chat(max_tokens=24, temperature=1.0, seed=1))


def test_the_seed_of_a_sampled_answer_is_told_and_gives_it_again(here: Wire) -> None:
    first = generated(here, do_sample=True)
    seed = first["details"]["seed"]
    assert ids(generated(here, do_sample=True, seed=seed)) == ids(first)
    assert generated(here)["details"]["seed"] is None


@pytest.mark.parametrize("cut", [{"top_k": 1}, {"top_p": 1e-6}, {"typical_p": 0.9, "top_k": 1}])
def test_a_cut_off_that_leaves_one_token_is_greedy(here: Wire, cut: dict[str, Any]) -> None:
    assert ids(generated(here, temperature=2.0, **cut)) == ids(generated(here))


def test_a_bias_brings_a_token_and_keeps_one_away(here: Wire) -> None:
    alone = here.post("/tokenize", {"inputs": "x", "add_special_tokens": False}).json()[0]
    assert text(here.chat(max_tokens=3, logit_bias={str(alone["id"]): 100})) == "xxx"
    greedy = ids(generated(here))[0]
    body = {"messages": HELLO, "max_tokens": 8, "temperature": 0, "logit_bias": {str(greedy): -100}, "logprobs": True}
    tokens = here.post("/v1/chat/completions", body).json()["choices"][0]["logprobs"]["content"]
    shown = here.post("/generate", {"inputs": "x", "parameters": {"max_new_tokens": 1, "details": True}}).json()
    assert tokens and shown["details"]["tokens"]


def test_penalties_keep_an_answer_from_repeating_itself(here: Wire) -> None:
    alone = here.post("/tokenize", {"inputs": "x", "add_special_tokens": False}).json()[0]
    asked: dict[str, Any] = {"max_tokens": 6, "logit_bias": {str(alone["id"]): 2.0}}
    plain, penalised = (text(here.chat(presence_penalty=value, **asked)) for value in (-2.0, 2.0))
    assert plain != penalised
    once = ids(generated(here, max_new_tokens=30, repetition_penalty=100.0))
    assert len(set(once)) == len(once)
    assert ids(generated(here, max_new_tokens=30, frequency_penalty=-2.0)) != once


def test_likelihoods_are_the_models_own_and_the_likeliest_come_first(here: Wire) -> None:
    answer = here.chat(max_tokens=4, logprobs=True, top_logprobs=3)
    for token in answer.choices[0].logprobs.content:
        tops = [top.logprob for top in token.top_logprobs]
        assert len(tops) == 3 and tops == sorted(tops, reverse=True) and token.logprob == tops[0]
        assert sum(math.exp(value) for value in tops) <= 1.0001
    asked = {"model": here.name, "max_tokens": 4, "logprobs": True, "top_logprobs": 3, "stream": True}
    streamed = [chunk.choices[0].logprobs for chunk in here.chat(**asked)]
    told = [token for part in streamed if part for token in part.content]
    assert [token.logprob for token in told] == [token.logprob for token in answer.choices[0].logprobs.content]


def test_several_answers_to_one_question_are_different_and_counted(here: Wire) -> None:
    asked: dict[str, Any] = {"n": 3, "temperature": 2.0, "seed": 1, "max_tokens": 16}
    whole = here.chat(**asked)
    assert [choice.index for choice in whole.choices] == [0, 1, 2]
    texts = [choice.message.content for choice in whole.choices]
    assert len(set(texts)) > 1
    streamed = ["", "", ""]
    for chunk in here.chat(stream=True, **asked):
        for choice in chunk.choices:
            streamed[choice.index] += choice.delta.content or ""
    assert streamed == texts


def test_more_answers_than_places_is_too_many_requests(here: Wire) -> None:
    with pytest.raises(openai.RateLimitError):
        here.chat(n=5)


def test_completions_go_on_with_a_text(here: Wire) -> None:
    completions = here.openai().completions
    asked: dict[str, Any] = {"model": here.name, "prompt": "The app", "max_tokens": 12, "temperature": 0}
    whole = completions.create(logprobs=2, **asked)
    pieces = [chunk.choices[0].text for chunk in completions.create(stream=True, **asked)]
    assert whole.choices[0].text == "".join(pieces) == generated(here)["generated_text"]
    assert whole.usage is not None and whole.usage.completion_tokens == 12
    told = whole.choices[0].logprobs
    assert told is not None and told.top_logprobs is not None and len(told.top_logprobs[0]) == 2


def test_a_stop_string_ends_a_chat_before_it_and_is_never_shown(here: Wire) -> None:
    whole = text(here.chat(max_tokens=12))
    stop = whole[3:5]
    stopped = here.chat(max_tokens=12, stop=[stop])
    assert text(stopped) == whole[: whole.index(stop)] and stopped.choices[0].finish_reason == "stop"
    pieces = [chunk.choices[0].delta.content or "" for chunk in here.chat(max_tokens=12, stop=stop, stream=True)]
    assert "".join(pieces) == text(stopped)


def test_tools_are_shown_to_the_model_and_a_plain_answer_stays_text(here: Wire) -> None:
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
    whole = here.chat(tools=[tool])
    assert whole.choices[0].message.tool_calls is None and text(whole)
    pieces = [chunk.choices[0].delta.content or "" for chunk in here.chat(tools=[tool], stream=True)]
    assert "".join(pieces) == text(whole)


@pytest.mark.parametrize("stream", [False, True])
def test_promised_json_is_never_broken_json(here: Wire, stream: bool) -> None:
    stop = text(here.chat(max_tokens=12))[3:5]
    with pytest.raises(openai.APIError):
        here.chat(max_tokens=12, stop=[stop], stream=stream, response_format={"type": "json_object"})


@pytest.mark.parametrize(
    ("route", "asked", "says"),
    [
        ("chat/completions", {"response_format": {"type": "regex", "value": "a"}}, "response_format"),
        ("chat/completions", {"tool_choice": "required", "tools": [{}]}, "`tool_choice` is not supported"),
        ("chat/completions", {"best_of": 2}, "`best_of` is not supported"),
        ("chat/completions", {"top_logprobs": 2}, "`top_logprobs` needs `logprobs`"),
        ("chat/completions", {"n": 17}, "`n` must be >= 1 and <= 16"),
        ("chat/completions", {"logit_bias": {"999999": 1}}, "`logit_bias` names a token"),
        ("chat/completions", {"logit_bias": {"a": 1}}, "`logit_bias` takes token ids"),
        ("chat/completions", {"temperature": -1}, "`temperature` must not be negative"),
        ("chat/completions", {"messages": [{"content": "x"}]}, "every message needs a `role`"),
        ("completions", {"echo": True}, "`echo` is not supported"),
        ("completions", {"suffix": "x"}, "`suffix` is not supported"),
    ],
)
def test_what_cannot_be_honoured_is_refused_not_ignored(
    here: Wire, route: str, asked: dict[str, Any], says: str
) -> None:
    subject = {"messages": HELLO} if route == "chat/completions" else {"prompt": "x"}
    reply = here.post(f"/v1/{route}", {**subject, "max_tokens": 2, **asked})
    assert (reply.status_code, reply.json()["error_type"]) == (422, "validation")
    assert says in reply.json()["error"]


@pytest.mark.parametrize("parameters", [{"best_of": 2, "do_sample": True}, {"watermark": True}, {"truncate": 512}])
def test_native_parameters_that_cannot_be_honoured_are_refused(here: Wire, parameters: dict[str, Any]) -> None:
    reply = here.post("/generate", {"inputs": "x", "parameters": parameters})
    assert (reply.status_code, reply.json()["error_type"]) == (422, "validation")


def test_parameters_without_influence_are_let_through(here: Wire) -> None:
    assert text(here.chat(user="mia", metadata={"a": "b"}))


def test_a_schema_nested_beyond_measure_is_refused(here: Wire) -> None:
    deep: dict[str, Any] = {"type": "object"}
    for _ in range(400):
        deep = {"type": "object", "properties": {"a": deep}}
    asked = {"messages": HELLO, "max_tokens": 2, "response_format": {"type": "json_object", "value": deep}}
    assert here.post("/v1/chat/completions", asked).status_code in (200, 422, 424)
    assert here.post("/generate", {"inputs": "x", "parameters": {"max_new_tokens": 1}}).status_code == 200


def test_a_bug_is_a_500_in_tgis_form_and_the_server_lives_on(here: Wire, server: RunningServer) -> None:
    broken = here.post("/generate", {"inputs": "fault:bug ", "parameters": {"max_new_tokens": 2}})
    assert (broken.status_code, broken.json()["error_type"]) == (500, "incomplete_generation")
    assert "ZeroDivisionError: planted" in server.log.read_text()
    assert here.post("/generate", {"inputs": "x", "parameters": {"max_new_tokens": 1}}).status_code == 200


def test_content_parts_of_text_are_joined_and_images_refused(here: Wire) -> None:
    parts = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]
    found = here.post("/chat_tokenize", {"messages": [{"role": "user", "content": parts}]}).json()
    assert found["templated_text"] == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    assert here.chat(max_tokens=1).usage.prompt_tokens == len(found["tokenize_response"])
    image = [{"type": "image_url", "image_url": {"url": "http://x"}}]
    refused = here.post("/v1/chat/completions", {"messages": [{"role": "user", "content": image}]})
    assert refused.status_code == 422 and "only text" in refused.json()["error"]


def test_histograms_add_up_as_a_scraper_expects(here: Wire) -> None:
    generated(here)
    here.post("/generate", {"inputs": ""})
    lines = [line for line in here.get("/metrics").text.splitlines() if not line.startswith("#")]
    values = {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}
    for name in ("duration", "queue_duration", "mean_time_per_token_duration", "generated_tokens", "input_length"):
        buckets = [value for line, value in values.items() if line.startswith(f"tgi_request_{name}_bucket")]
        assert buckets == sorted(buckets) and buckets[-1] == values[f"tgi_request_{name}_count"] > 0
    assert values["tgi_request_success"] > 0 and values['tgi_request_failure{err="validation"}'] > 0
    assert {"tgi_batch_current_size", "tgi_queue_size"} <= values.keys()


@pytest.mark.parametrize("stream", [True, False])
def test_a_caller_who_hangs_up_frees_the_place_in_the_batch(here: Wire, stream: bool) -> None:
    body = {"inputs": "The app", "parameters": {"max_new_tokens": 480, "temperature": 1.0}, "stream": stream}
    headers, patience = {"authorization": f"Bearer {KEY}"}, httpx.Timeout(60, read=0.1)
    try:
        with http().stream("POST", f"{here.url}/", json=body, headers=headers, timeout=patience) as reply:
            next(reply.iter_lines())
    except httpx.ReadTimeout:
        pass  # hanging up is the point
    deadline = time.monotonic() + 60
    while _running(here) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _running(here) == 0


def _running(here: Wire) -> float:
    page = here.get("/metrics").text
    return sum(float(line.split()[1]) for line in page.splitlines() if line.startswith(("tgi_batch_c", "tgi_queue_s")))
