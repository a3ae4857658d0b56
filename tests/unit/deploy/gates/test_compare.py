"""Where a served answer parts from the recorded one, and whether rounding explains it."""

from typing import Any

from storage.tables import Model
from studio.deploy.client import Said
from studio.deploy.gates.compare import Compared, compare
from studio.deploy.gates.recorded import END, GoldenPrompt, golden_prompts

PIECES = ["yes", ",", " sir", "!"]


def prompt(**changes: Any) -> GoldenPrompt:
    row = {
        "messages": [{"role": "user", "content": "Well?"}],
        "text": "<user>Well?",
        "tuned_tokens": [1, 2, 3, 4],
        "tuned_ended": True,
        "tuned_text": "".join(PIECES),
        "offsets": [3, 4, 8, 9],
        "margins": [2.0, 2.0, 0.05, 2.0, 0.2],
        "rivals": {"2": [7], "4": [8]},
        "base_tokens": [1, 5],
        "base_ended": True,
        "base_text": "yes?",
    } | changes
    return golden_prompts(Model(facts={"golden": {"ends": [0], "prompts": [row]}}))[0]


def served(*tokens: int, ended: bool = False, **changes: Any) -> Compared:
    return compare(prompt(**changes), Said("".join(f"t{token}" for token in tokens), list(tokens), (), ended))


def said(text: str, **changes: Any) -> Compared:
    return compare(prompt(**changes), Said(text))


def test_the_same_answer_to_its_end_is_the_tuned_models() -> None:
    found = served(1, 2, 3, 4, ended=True)
    assert found.at is None and found.cause == "" and found.telling and not found.like_base
    assert found.agreed == 5 and found.tuned[-1] == END


def test_a_rival_where_the_model_was_undecided_is_rounding() -> None:
    found = served(1, 2, 7, 9)
    assert (found.at, found.cause, found.agreed) == (2, "tie", 2)


def test_any_other_token_there_is_not() -> None:
    assert served(1, 2, 9).cause == "other"


def test_the_end_is_a_token_like_others() -> None:
    assert served(1, 2, 3, 4, 9).cause == "other" and served(1, 2, 3, ended=True).at == 3
    assert served(1, 2, 3, 4, 8).cause == "tie"
    assert served(1, 2, 3, 4, 8).divergence()["expected"] == {"id": END, "text": "(the end)"}


def test_an_answer_that_takes_the_bases_way_where_they_part_is_like_the_base() -> None:
    assert served(1, 5, ended=True).like_base and served(1, 5, 6).like_base
    assert not served(6, 5).like_base


def test_a_base_that_rounding_could_make_of_the_tuned_model_tells_nothing() -> None:
    assert not served(1, 2, 3, 4, ended=True, rivals={"1": [5]}).telling


def test_an_answer_cut_short_where_both_were_asked_for_less_is_the_same() -> None:
    found = served(1, 2, 3, 4, tuned_ended=False)
    assert found.at is None and found.agreed == 4


def test_old_recordings_are_compared_by_their_first_eight_tokens() -> None:
    old: dict[str, Any] = {"rivals": None, "tuned_ended": None, "base_ended": None}
    row = {"tuned_tokens": [*range(8), 50], "base_tokens": [9] * 8}
    assert served(*range(8), 51, **old, **row).at is None
    assert served(*range(7), 51, **old, **row).cause == "other"


def test_words_are_compared_where_a_server_shows_no_tokens() -> None:
    assert said(" yes, sir! ").at is None and said("yes, sir!").by_words
    assert (said("yes, madam!").at, said("yes, madam!").cause) == (2, "tie")
    assert (said("yea, sir!").at, said("yea, sir!").cause) == (0, "other")


def test_words_that_follow_the_base_are_like_it() -> None:
    assert said("yes?").like_base and not said("yes.").like_base


def test_letters_that_are_not_whole_hide_where_an_answer_parted() -> None:
    torn: dict[str, Any] = {"tuned_text": "a��b", "offsets": [1, 2, 3, 4], "rivals": {"1": [9]}}
    assert said("a��c", **torn).cause == "tie"
    assert said("x��b", **torn).cause == "other"


def test_the_first_other_token_is_shown_with_both_texts() -> None:
    shown = compare(prompt(), Said("no", [6], ("no",))).divergence()
    assert shown["expected"] == {"id": 1, "text": "yes"} and shown["served"] == {"id": 6, "text": "no"}
    assert shown["at"] == 0 and shown["margin"] == 2.0
