"""Scopes and limits of keys, as the real clients meet them."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest

from studio.access.keys import Allowed

pytestmark = pytest.mark.slow

ASK: Any = [{"role": "user", "content": "Hi"}]


def client(place: Any, allowed: Allowed) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{place.url}/v1", api_key=place.key("k", allowed), max_retries=0)


def test_a_key_that_may_only_send_feedback_asks_no_model(place: Any) -> None:
    with pytest.raises(openai.PermissionDeniedError, match="lacks the scope 'infer'"):
        client(place, Allowed(("feedback",))).chat.completions.create(model="gpt", messages=ASK)


def test_calls_above_the_limit_are_told_when_to_come_again(place: Any) -> None:
    mine = client(place, Allowed(calls_per_minute=1))
    first = mine.chat.completions.with_raw_response.create(model="gpt", messages=ASK)
    assert first.headers["x-ratelimit-remaining-requests"] == "0"
    with pytest.raises(openai.RateLimitError, match="1 calls a minute") as told:
        for _ in range(20):  # a machine that stands still for a minute gives one more each time
            mine.chat.completions.create(model="gpt", messages=ASK)
    headers = told.value.response.headers
    assert 0 < int(headers["retry-after"]) <= 60 and headers["x-ratelimit-limit-requests"] == "1"


def test_tokens_above_the_limit_are_told_in_anthropics_form(place: Any) -> None:
    secret = place.key("k", Allowed(tokens_per_minute=10))
    mine = anthropic.Anthropic(base_url=place.url, api_key=secret, max_retries=0)
    assert mine.messages.create(model="claude", max_tokens=5, messages=ASK).id
    with pytest.raises(anthropic.RateLimitError, match="10 tokens a minute"):
        mine.messages.create(model="claude", max_tokens=5, messages=ASK)
