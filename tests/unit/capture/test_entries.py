"""From a record to a row: what was told beside a call counts before its body, and its body before estimates."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.capture.entries import entry_values, prompt_hash
from studio.capture.record import Record
from studio.capture.tokens import Tokens, cost, estimated, told
from tests.fakes import wire_samples as samples

MESSAGES = [{"role": "user", "content": "Hi"}]
PRICES = {"prompt": 10.0, "completion": 20.0, "cached": 1.0, "cache_write": 12.5}


def row(request: Any = None, reply: Any = None, **meta: Any) -> dict[str, Any]:
    body = b"" if reply is None else json.dumps(reply).encode()
    facts = {"uid": "u", "project_id": "p", "at": 1.0, **meta}
    return entry_values(Record(facts, json.dumps(request or {"messages": MESSAGES}).encode(), body))


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (samples.CHAT_USAGE, Tokens(120, 9, cached=100)),
        (samples.RESPONSE_USAGE, Tokens(120, 9, cached=100)),
        (samples.MESSAGE_USAGE, Tokens(120, 9, cached=100, written=5)),
        ({"prompt_tokens": 8, "prompt_cache_hit_tokens": 6, "completion_tokens": 1}, Tokens(8, 1, cached=6)),
        ({"prompt_tokens": 8, "prompt_tokens_details": {"cached_tokens": 99}}, Tokens(8, 0, cached=8)),
        ({"input_tokens": -3, "output_tokens": 2.0}, Tokens(0, 2)),
        ({"prompt_tokens": True, "completion_tokens": "9"}, None),
        ({"prompt_tokens": 1e300}, None),
        ({}, None),
    ],
)
def test_tokens_are_counted_as_each_provider_counts(usage: Any, tokens: Tokens | None) -> None:
    assert told(usage) == tokens


def test_what_a_cache_gave_has_its_own_price_where_one_is_named() -> None:
    tokens = Tokens(120, 9, cached=100, written=5)
    assert cost(PRICES, tokens) == pytest.approx((15 * 10 + 100 * 1 + 5 * 12.5 + 9 * 20) / 1e6)
    assert cost({"prompt": 10.0, "completion": 20.0}, tokens) == pytest.approx((120 * 10 + 9 * 20) / 1e6)
    assert cost({"prompt": 10.0, "cached": 0.0}, tokens) == pytest.approx(20 * 10 / 1e6)
    assert cost({}, tokens) == 0


def test_a_call_without_usage_is_estimated_and_says_so() -> None:
    reply = {"choices": [{"message": {"role": "assistant", "content": "x" * 40}}]}
    found = row(reply=reply, prices=PRICES)
    assert found["tokens_estimated"] and found["completion_tokens"] == 10 and found["prompt_tokens"] > 0
    assert found["cost_usd"] > 0
    called = {"content": None, "tool_calls": [{"function": {"name": "f", "arguments": "x" * 39}}]}
    assert estimated([{"content": "東京東京"}], [], called) == Tokens(3 + 4, 10, estimated=True)
    assert estimated([], [{"type": "function"}], {}).prompt > 0


def test_figures_told_beside_the_call_count_before_those_of_its_body() -> None:
    reply = samples.chat("m")
    assert row(reply=reply)["prompt_tokens"] == 120
    found = row(reply=reply, prompt_tokens=7, completion_tokens=3, cost_usd=0.5, prices=PRICES)
    assert (found["prompt_tokens"], found["completion_tokens"], found["cost_usd"]) == (7, 3, 0.5)
    assert not found["tokens_estimated"]
    assert row(reply=reply, completion_tokens=3)["prompt_tokens"] == 120
    assert row(reply=reply, prompt_tokens=float("nan"), cost_usd="x")["prompt_tokens"] == 120
    assert row(reply=reply, prompt_tokens=50, prices=PRICES)["cost_usd"] == pytest.approx((50 * 1 + 9 * 20) / 1e6)


def test_who_and_where_are_told_beside_the_call_or_named_by_its_body() -> None:
    request = {"messages": MESSAGES, "user": "ann", "metadata": {"session_id": "body", "feature": "x"}}
    named = row(request)
    assert (named["user_id"], named["session_id"], named["trace_id"]) == ("ann", "body", None)
    found = row(request, user_id="bob", session_id="head", trace_id="t", span_id="s", parent_span_id="q")
    assert (found["user_id"], found["session_id"]) == ("bob", "head")
    assert (found["trace_id"], found["span_id"], found["parent_span_id"]) == ("t", "s", "q")
    assert row({"messages": MESSAGES, "safety_identifier": "eve"})["user_id"] == "eve"
    assert row({"messages": MESSAGES, "metadata": {"user_id": "kim"}})["user_id"] == "kim"


def test_the_same_prompt_has_the_same_hash_whatever_the_order_of_its_fields() -> None:
    first = row({"messages": [{"role": "user", "content": "Hi"}], "temperature": 1})["prompt_hash"]
    assert first == row({"messages": [{"content": "Hi", "role": "user"}]})["prompt_hash"]
    assert first != row({"messages": MESSAGES, "tools": [{"type": "function"}]})["prompt_hash"]
    assert -(2**63) <= first < 2**63 and prompt_hash([], []) is None
    assert prompt_hash([{"content": 10**40}], []) is not None


def test_an_endpoint_that_nobody_knows_is_read_as_a_chat() -> None:
    found = row(reply=samples.chat("m"), endpoint="images")
    assert found["endpoint"] == "chat" and found["reply"]["content"] == samples.SAID


def test_a_stream_of_anthropics_is_a_row_like_any_other() -> None:
    meta = {"uid": "u", "project_id": "p", "at": 1.0, "endpoint": "messages", "sse": True, "prices": PRICES}
    body = samples.named(*samples.message_events("claude", tools=True))
    found = entry_values(Record(meta, json.dumps({"model": "claude", "messages": MESSAGES}).encode(), body))
    assert found["reply_text"] == f"{samples.SAID}\nweather({samples.ARGUMENTS})"
    assert (found["status"], found["prompt_tokens"], found["completion_tokens"]) == ("ok", 120, 9)
    assert found["cost_usd"] == pytest.approx((15 * 10 + 100 * 1 + 5 * 12.5 + 9 * 20) / 1e6)


Any_ = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
)
FIGURES = ("prompt_tokens", "completion_tokens", "cost_usd", "first_token_ms")


@given(st.dictionaries(st.sampled_from(FIGURES), Any_), st.dictionaries(st.sampled_from(FIGURES), Any_))
def test_no_figure_is_too_odd(meta: dict[str, Any], usage: dict[str, Any]) -> None:
    found = row(reply={**samples.chat("m"), "usage": usage}, prices=PRICES, **meta)
    assert 0 <= found["prompt_tokens"] <= 2**53 and found["cost_usd"] >= 0
