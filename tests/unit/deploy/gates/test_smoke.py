"""Smoke prompts: what people may ask, what they may demand, and what is refused when it is written."""

import time
from typing import Any

import pytest

from studio.deploy.gates.smoke_rules import SmokePrompt, smoke_prompts
from studio.errors import InvalidInput

ASKED = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"id": {"type": "string", "pattern": "^a+$"}}, "required": ["id"]}


def one(**demands: Any) -> SmokePrompt:
    return smoke_prompts({"smoke": [{"name": "n", "messages": ASKED, **demands}]})[0]


@pytest.mark.parametrize(
    ("demands", "good", "bad", "said"),
    [
        ({}, "x", "  ", "is empty"),
        ({"contains": "refund"}, "a refund", "no", "does not contain “refund”"),
        ({"contains": ["a", "b"]}, "ab", "a", "does not contain “b”"),
        ({"regex": r"^\d+$"}, "12", "1a", "does not match"),
        ({"json": True}, "[1]", "{", "is not JSON"),
        ({"json": SCHEMA}, '{"id": "aa"}', '{"id": "b"}', "does not fit the schema"),
        ({"json": SCHEMA}, '{"id": "aa"}', "{}", "does not fit the schema"),
    ],
)
def test_an_answer_keeps_its_demands(demands: dict[str, Any], good: str, bad: str, said: str) -> None:
    asked = one(**demands)
    assert asked.faults(good, 1.0) == []
    assert said in asked.faults(bad, 1.0)[0]


def test_a_slow_answer_is_a_fault() -> None:
    assert (
        one(max_ms=100).faults("x", 101.0) == ["took 101 ms, more than 100"] and one(max_ms=100).faults("x", 99) == []
    )


@pytest.mark.parametrize("demands", [{"regex": "(a+)+$"}, {"json": {"type": "string", "pattern": "(a+)+$"}}])
def test_a_pattern_that_would_take_for_ever_is_given_up(demands: dict[str, Any]) -> None:
    started = time.monotonic()
    text = "a" * 40 + "!"
    assert one(**demands).faults(f'"{text}"' if "json" in demands else text, 1.0)
    assert time.monotonic() - started < 60


def test_a_schema_is_not_fetched_from_elsewhere() -> None:
    assert "refers to" in one(json={"$ref": "http://127.0.0.1:1/schema"}).faults("{}", 1.0)[0]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"messages": []}, "prompt 1: messages"),
        ({"messages": ASKED, "regex": "("}, "pattern cannot be read"),
        ({"messages": ASKED, "regex": "a" * 501}, "prompt 1: regex"),
        ({"messages": ASKED, "json": {"type": "nothing"}}, "no valid schema"),
        ({"messages": ASKED, "json": {"patternProperties": {"(a+)+$": {}}}}, "patternProperties"),
        ({"messages": ASKED, "wants": True}, "wants"),
        ({"messages": ASKED, "max_ms": 0}, "max_ms"),
        ("Hi", "prompt 1"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_place(row: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        smoke_prompts({"smoke": [row]})


def test_there_is_a_limit() -> None:
    with pytest.raises(InvalidInput, match="at most 50"):
        smoke_prompts({"smoke": [{"messages": ASKED}] * 51})
    assert smoke_prompts({}) == ()
