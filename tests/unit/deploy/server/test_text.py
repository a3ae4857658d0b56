"""Tokens become text; stop strings and tool calls are read from it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.deploy.server.chat import tool_calls
from studio.deploy.server.errors import Malformed, WireError
from studio.deploy.server.openai_wire import ChatRequest
from studio.deploy.server.sampling import Sampling
from studio.deploy.server.text import StopFilter, TextBuilder, cut
from studio.deploy.server.wire import GenerateRequest, parse


def decode(ids: list[int]) -> str:
    return bytes(ids).decode(errors="replace")


@given(st.text(max_size=40))
def test_pieces_add_up_to_the_text_and_never_show_half_a_character(text: str) -> None:
    builder = TextBuilder(decode)
    data = text.replace("\ufffd", "").encode()
    pieces = [builder.add(token, last=place == len(data) - 1) for place, token in enumerate(data)]
    assert "".join(pieces) == builder.text == data.decode()
    assert not any("\ufffd" in piece for piece in pieces)


def test_a_character_cut_by_the_limit_is_shown_as_such() -> None:
    builder = TextBuilder(decode)
    first, *_rest = "é".encode()
    assert builder.add(first, last=True) == "\ufffd"


@given(st.lists(st.text("abc", min_size=1, max_size=4), min_size=1), st.lists(st.text("abc", min_size=1), max_size=3))
def test_a_stream_with_stops_sends_what_a_whole_answer_would(tokens: list[str], stops: list[str]) -> None:
    held, sent, text = StopFilter(tuple(stops)), "", ""
    for place, token in enumerate(tokens):
        text += token
        last = any(stop in text for stop in stops) or place == len(tokens) - 1
        sent += held.release(text, last)
        assert text.startswith(sent) and not any(stop in sent for stop in stops)
        if last:
            break
    assert sent == text[: cut(text, tuple(stops))]


def test_tool_calls_are_read_from_their_tags() -> None:
    found = tool_calls('I will.\n<tool_call>\n{"name": "look_up", "arguments": {"id": 7}}\n</tool_call>')
    assert found[0]["function"] == {"name": "look_up", "arguments": json.dumps({"id": 7})}


@pytest.mark.parametrize("text", ["<tool_call>{nope}</tool_call>", "<tool_call>{}</tool_call>", "plain"])
def test_what_is_not_a_call_stays_text(text: str) -> None:
    assert tool_calls(text) == []


def test_temperature_nought_is_greedy_and_none_is_sampled() -> None:
    def sampling(**fields: object) -> Sampling:
        return parse(ChatRequest, {"messages": [], **fields}).sampling()

    assert sampling(temperature=0).greedy
    assert sampling().temperature == 1.0 and sampling(temperature=0.7).temperature == 0.7
    assert sampling(max_completion_tokens=5).max_new_tokens == 5
    assert sampling(stop="x").stop == ("x",)


def test_native_requests_are_greedy_unless_they_ask_for_sampling() -> None:
    def sampling(**parameters: object) -> Sampling:
        return parse(GenerateRequest, {"inputs": "x", "parameters": parameters}).parameters.sampling()

    assert sampling().greedy
    assert sampling(do_sample=True).temperature == 1.0
    assert (sampling(top_k=5).top_k, sampling(top_k=5).greedy) == (5, False)


def test_a_wrong_shape_names_the_field() -> None:
    with pytest.raises(Malformed, match="missing field `messages`"):
        parse(ChatRequest, {})
    with pytest.raises(WireError, match="temperature"):
        parse(ChatRequest, {"messages": [], "temperature": -1}).sampling()
