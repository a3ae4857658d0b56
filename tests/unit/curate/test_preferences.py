"""Preferences about the same answers come to one, or to none where people contradict each other equally."""

from __future__ import annotations

from studio.curate.preferences import Preference, correction, settled


def test_equal_preferences_add_up_with_everybodys_name() -> None:
    said = [
        Preference('{"a": 1}', "no", "ranking", 2, 1, "mia, noah"),
        Preference('{"a":1}', " no ", "ranking", 1, 0, "rita"),
    ]
    assert settled(said) == [Preference('{"a": 1}', "no", "ranking", 3, 1, "mia, noah, rita")]


def test_the_side_of_more_people_is_preferred() -> None:
    said = [Preference("a", "b", "ranking", 1, 0, "mia"), Preference("b", "a", "ranking", 2, 0, "noah, rita")]
    assert settled(said) == [Preference("b", "a", "ranking", 2, 1, "noah, rita")]


def test_a_draw_is_no_preference() -> None:
    assert settled([Preference("a", "b", "ranking", 1, 1)]) == []
    assert settled([Preference("a", "b", "ranking"), Preference("b", "a", "ranking")]) == []


def test_what_a_review_decided_outranks_a_ranking_and_the_output_that_stands_outranks_both() -> None:
    crowd, chair = Preference("a", "b", "ranking", 5, 0, "crowd"), Preference("b", "a", "review", 1, 0, "chair")
    assert settled([crowd, chair]) == [chair]
    standing = Preference("a", "b", "correction", 1, 0, "mia")
    assert settled([chair, standing]) == [standing]
    assert settled([crowd, chair, standing]) == [Preference("a", "b", "ranking", 5, 0, "crowd, mia")]


def test_a_review_stands_however_people_had_voted_before() -> None:
    overruled, alone = Preference("b", "a", "review", 1, 2, "chair"), Preference("c", "a", "review", 0, 0, "chair")
    assert settled([overruled, alone]) == [overruled, alone]


def test_a_correction_that_people_compared_with_the_original_is_told_as_that_comparison() -> None:
    chair = Preference("fixed", "wrong", "review", 3, 1, "rita")
    standing = Preference("fixed", "wrong", "correction", 1, 0, "rita")
    assert settled([chair, standing]) == [chair]


def test_answers_that_mean_the_same_or_are_empty_are_no_pair() -> None:
    assert settled([Preference('{"a": 1, "b": 2}', '{"b":2,"a":1}', "ranking"), Preference("a", " ", "ranking")]) == []


def test_different_answers_to_one_prompt_stay_different_pairs() -> None:
    said = [Preference("a", "b", "ranking"), Preference("a", "c", "ranking"), Preference("b", "c", "ranking")]
    assert settled(said) == said


def test_a_correction_prefers_what_people_wrote_and_counts_those_who_signed_it() -> None:
    signed = correction("right", "wrong", "people", verified=True, decided_by="mia, noah")
    assert signed == Preference("right", "wrong", "correction", 2, 0, "mia, noah")
    by_user = correction("right", "wrong", "correction", verified=False)
    assert by_user == Preference("right", "wrong", "correction", 1, 0, "")


def test_what_people_did_not_change_or_only_preferred_to_others_is_no_correction() -> None:
    assert correction("right", "wrong", "model", verified=True) is None
    assert correction("right", "", "people", verified=True) is None
    assert correction('{"a":1}', '{"a": 1}', "people", verified=True) is None
    assert correction("best of two", "never shown", "people", verified=False) is None
