"""What a key may do, and how much of it in a minute."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from storage.tables import ApiKey
from storage.types import now
from studio.gateway.errors import ANTHROPIC, ApiError
from studio.gateway.http import Request
from studio.gateway.keys import KeyCache, KeyOf
from studio.gateway.limits import Limits
from tests.fakes.routing import FakeKeys

FREE = KeyOf("k", "p")
FEW = KeyOf("k", "p", calls_per_minute=3)
CHEAP = KeyOf("k", "p", tokens_per_minute=600)


class Clock:
    """Stands still until it is moved."""

    at = 100.0

    def __call__(self) -> float:
        return self.at


def request(**headers: str) -> Request:
    async def nothing(*_: Any) -> Any: ...

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"method": "GET", "path": "/", "headers": pairs}, nothing, nothing)


def a_key(**facts: Any) -> ApiKey:
    return ApiKey(id="k", project_id="p", name="k", prefix="wk-", key_hash="k", **facts)


def required(key: ApiKey, scope: str | None, **headers: str) -> KeyOf:
    cache = KeyCache(FakeKeys({"wk-secret": key}))
    return asyncio.run(cache.require(request(**headers or {"authorization": "Bearer wk-secret"}), scope))


def test_a_key_without_limits_is_not_counted() -> None:
    limits = Limits(Clock())
    assert [limits.admit(FREE) for _ in range(1000)] == [[]] * 1000


def test_calls_above_the_limit_wait_for_their_share_of_the_minute() -> None:
    clock = Clock()
    limits = Limits(clock)
    left = [dict(limits.admit(FEW))[b"x-ratelimit-remaining-requests"] for _ in range(3)]
    assert left == [b"2", b"1", b"0"]
    with pytest.raises(ApiError, match="3 calls a minute") as told:
        limits.admit(FEW)
    headers = dict(told.value.headers)
    assert told.value.status == 429 and told.value.code == "rate_limit_exceeded" and headers[b"retry-after"] == b"20"
    assert headers[b"x-ratelimit-limit-requests"] == b"3" and headers[b"x-ratelimit-reset-requests"] == b"60.000s"
    clock.at += 20
    assert dict(limits.admit(FEW))[b"x-ratelimit-remaining-requests"] == b"0"
    with pytest.raises(ApiError):
        limits.admit(FEW)
    clock.at += 10_000
    assert dict(limits.admit(FEW))[b"x-ratelimit-remaining-requests"] == b"2"


def test_tokens_are_taken_when_they_are_known_and_overdrawing_waits() -> None:
    clock = Clock()
    limits = Limits(clock)
    assert dict(limits.admit(CHEAP))[b"x-ratelimit-remaining-tokens"] == b"600"
    limits.spent(CHEAP, 1200)
    with pytest.raises(ApiError, match="600 tokens a minute") as told:
        limits.admit(CHEAP)
    assert dict(told.value.headers)[b"retry-after"] == b"61" and told.value.kind == "tokens"
    clock.at += 61
    assert limits.admit(CHEAP)


def test_a_changed_limit_starts_afresh_and_keys_do_not_share() -> None:
    limits = Limits(Clock())
    for _ in range(3):
        limits.admit(FEW)
    assert limits.admit(KeyOf("k", "p", calls_per_minute=4)) and limits.admit(KeyOf("other", "p", calls_per_minute=3))


def test_a_refusal_is_told_in_the_callers_form() -> None:
    limits = Limits(Clock())
    for _ in range(3):
        limits.admit(FEW)
    with pytest.raises(ApiError) as told:
        limits.admit(FEW)
    told.value.form = ANTHROPIC
    assert b'"rate_limit_error"' in told.value.body()


@hypothesis_settings(max_examples=30)
@given(st.integers(1, 50), st.lists(st.floats(0, 30), max_size=60))
def test_never_more_than_two_minutes_worth_in_a_minute(limit: int, pauses: list[float]) -> None:
    clock = Clock()
    limits, key, passed = Limits(clock), KeyOf("k", "p", calls_per_minute=limit), list[float]()
    for pause in [0.0] * (limit + 5) + pauses:
        clock.at += pause
        try:
            limits.admit(key)
            passed.append(clock.at)
        except ApiError:
            continue
    for start in passed:
        assert sum(start <= at < start + 60 for at in passed) <= 2 * limit


@pytest.mark.parametrize(
    ("scopes", "scope", "allowed"),
    [
        ([], "infer", True),
        ([], "feedback", True),
        ([], "read", False),
        (["read"], "read", True),
        (["report"], "infer", False),
        (["report"], None, True),
    ],
)
def test_a_key_does_what_its_scopes_say(scopes: list[str], scope: str | None, allowed: bool) -> None:
    if allowed:
        assert required(a_key(scopes=scopes), scope).id == "k"
    else:
        with pytest.raises(ApiError, match=f"lacks the scope '{scope}'") as told:
            required(a_key(scopes=scopes), scope)
        assert told.value.status == 403


def test_a_key_that_is_remembered_does_not_outlive_its_day() -> None:
    assert required(a_key(expires_at=now() + timedelta(hours=1)), "infer")
    with pytest.raises(ApiError, match="not valid here") as told:
        required(a_key(expires_at=now() - timedelta(seconds=1)), "infer")
    assert told.value.status == 401


def test_a_key_is_shown_as_either_client_shows_it() -> None:
    assert required(a_key(), "infer", x_api_key="wk-secret").id == "k"
    assert required(a_key(), "infer", authorization="Bearer wk-secret", x_api_key="other").id == "k"
