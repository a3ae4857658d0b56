"""What several answers mean together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.label.resolve import Opinion, decide, same_answer
from studio.label.templates import TEMPLATES

SHOWN = '{"category": "billing", "priority": "high"}'
OTHER = '{"category": "returns", "priority": "high"}'


def opinions(*outputs: str | None) -> list[Opinion]:
    return [Opinion(f"person{at}", output) for at, output in enumerate(outputs)]


@pytest.mark.parametrize(
    ("outputs", "verdict", "rule"),
    [
        ((SHOWN, SHOWN), "confirmed", "agreement"),
        ((OTHER, OTHER), "corrected", "agreement"),
        ((SHOWN,), "confirmed", "single"),
        ((OTHER, OTHER, SHOWN), "corrected", "majority"),
        ((SHOWN, OTHER), "disputed", ""),
        ((SHOWN, None), "disputed", ""),
        ((None, None), "disputed", ""),
        ((OTHER, OTHER, None, None), "disputed", ""),
        ((), "disputed", ""),
    ],
)
def test_more_than_half_decide(outputs: tuple[str | None, ...], verdict: str, rule: str) -> None:
    decision = decide(opinions(*outputs), SHOWN)
    assert (decision.verdict, decision.rule) == (verdict, rule)
    assert (decision.output is None) == (verdict == "disputed")


def test_json_is_compared_by_value_and_text_without_its_ends() -> None:
    assert same_answer('{"a": 1, "b": [1, 2]}') == same_answer('{ "b":[1,2],\n"a":1 }')
    assert same_answer(" yes\n") == same_answer("yes") != same_answer("Yes")
    assert same_answer('{"a": 1}') != same_answer('{"a": "1"}')
    assert same_answer("1") != same_answer("one")


def test_an_answer_that_says_the_same_keeps_the_shown_text() -> None:
    spaced = '{"priority":"high",\n "category":"billing"}'
    assert decide(opinions(spaced, spaced), SHOWN).output == SHOWN


@given(st.lists(st.sampled_from([SHOWN, OTHER, None, "text"]), max_size=6), st.randoms())
def test_the_order_of_people_never_matters(outputs: list[str | None], shuffle: object) -> None:
    mixed = list(outputs)
    shuffle.shuffle(mixed)  # type: ignore[attr-defined]
    assert decide(opinions(*outputs), SHOWN) == decide(opinions(*mixed), SHOWN)


@pytest.mark.parametrize(
    ("answers", "stands_by"),
    [
        ({"verdict": "correct", "output": SHOWN}, SHOWN),
        ({"verdict": "correct"}, SHOWN),
        ({"verdict": "wrong", "output": OTHER}, OTHER),
        ({"verdict": "wrong", "output": SHOWN}, None),
        ({"verdict": "wrong"}, None),
        ({"verdict": "unsure", "output": OTHER}, None),
        ({"verdict": "correct", "output": OTHER}, OTHER),
    ],
)
def test_how_a_verdict_reads(answers: dict[str, str], stands_by: str | None) -> None:
    assert TEMPLATES["verdict"].output(answers, SHOWN) == stands_by


def test_a_label_is_the_output_and_a_rating_is_none() -> None:
    assert TEMPLATES["pick_label"].output({"label": "spam"}, "ham") == "spam"
    assert TEMPLATES["rating"].output({"rating": 5}, "ham") is None and not TEMPLATES["rating"].decides
