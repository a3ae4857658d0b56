"""Single judgements: what people found good or bad, the strongest word first."""

from __future__ import annotations

from typing import Any

import pytest

from studio.curate.kto import kto_rows
from studio.curate.snapshot import Row


def judged(**facts: Any) -> list[tuple[str, bool, str]]:
    known: dict[str, Any] = {"output": "a", "original_output": "a", "verified": False, "output_source": "model"}
    row = Row("e", [{"role": "user", "content": "x"}], [], split="train", prompt_hash="h", **{**known, **facts})
    return [(each.completion, each.label, each.source) for each in kto_rows([row])]


def test_thumbs_judge_the_models_answer() -> None:
    assert judged(rating="up") == [("a", True, "thumbs")]
    assert judged(rating="down") == [("a", False, "thumbs")]
    assert judged() == []


def test_a_correction_makes_the_models_answer_unwanted_and_the_new_one_wanted_whatever_the_thumbs_said() -> None:
    expected = [("a", False, "correction"), ("b", True, "correction")]
    assert judged(output="b", output_source="people", verified=True, rating="up") == expected
    assert judged(output="b", output_source="correction") == expected


def test_an_answer_a_person_confirmed_is_wanted_even_when_a_user_disliked_it() -> None:
    assert judged(verified=True, decided_how="agreement", rating="down") == [("a", True, "confirmed")]


@pytest.mark.parametrize(("rated", "expected"), [(1.0, True), (0.75, True), (0.5, None), (0.25, False), (0.0, False)])
def test_ratings_of_teammates_judge_clearly_good_and_bad_answers_only(rated: float, expected: bool | None) -> None:
    found = judged(rated=rated, rating="up")
    assert found == ([] if expected is None else [("a", expected, "rating")])


def test_an_empty_answer_is_no_judgement() -> None:
    assert judged(output=" ", original_output="", rating="down") == []
