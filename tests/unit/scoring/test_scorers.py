"""Scorers: what counts as right."""

from __future__ import annotations

import pytest

from studio.errors import InvalidInput, NotFound
from studio.scoring import DEFAULT, SCORERS, scorer, scores

REFERENCE = '{"category": "billing", "priority": 2, "needs_human": true}'


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (REFERENCE, 1.0),
        ('{"needs_human":true,"priority":2.0,"category":"billing"}', 1.0),
        ('{"category": "billing", "priority": 2, "needs_human": 1}', 0.0),
        ('{"category": "billing", "priority": "2", "needs_human": true}', 0.0),
        (f"```json\n{REFERENCE}\n```", 0.0),
        (REFERENCE[:-5], 0.0),
        ("", 0.0),
    ],
)
def test_json_matches_by_value_and_not_by_spelling(output: str, expected: float) -> None:
    assert scorer({"name": "exact_match"}).score(output, REFERENCE) == {"exact_match": expected}


def test_text_matches_without_outer_spaces() -> None:
    exact = scorer({"name": "exact_match"})
    assert exact.score(" Hello\n", "Hello") == {"exact_match": 1.0}
    assert exact.score("hello", "Hello") == {"exact_match": 0.0}


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ('{"category": "x", "priority": 0, "needs_human": null}', 1.0),
        ('{"category": "x"}', 0.0),
        ('{"category": "x", "priority": 0, "needs_human": 1, "more": 1}', 0.0),
        ("[1]", 0.0),
        ("{", 0.0),
        ("[" * 100_000, 0.0),
    ],
)
def test_valid_json_is_an_object_with_the_same_keys(output: str, expected: float) -> None:
    assert scorer({"name": "valid_json"}).score(output, REFERENCE) == {"valid_json": expected}


def test_json_scores_say_nothing_about_prose() -> None:
    assert scorer({"name": "valid_json"}).score("{}", "plain words") == {}
    assert scorer({"name": "field_accuracy"}).score("{}", "plain words") == {}


def test_each_field_is_scored_on_its_own() -> None:
    found = scorer({"name": "field_accuracy"}).score('{"category": "billing", "priority": 1}', REFERENCE)
    assert found == {"field:category": 1.0, "field:priority": 0.0, "field:needs_human": 0.0}


def test_contains_and_length_read_text() -> None:
    assert scorer({"name": "contains"}).score("It is PARIS.", "Paris") == {"contains": 1.0}
    assert scorer({"name": "contains", "case_sensitive": True}).score("It is PARIS.", "Paris") == {"contains": 0.0}
    assert scorer({"name": "length"}).score("abcd", "ab") == {"length_ratio": 2.0}


def test_every_scorer_is_made_from_its_spec_and_the_default_set_works_together() -> None:
    assert all(scorer({"name": name}) for name in SCORERS)
    found = scores([scorer(spec) for spec in DEFAULT], REFERENCE, REFERENCE)
    assert found.keys() == {"exact_match", "valid_json", "field:category", "field:priority", "field:needs_human"}
    assert set(found.values()) == {1.0}


def test_an_unknown_scorer_or_setting_is_refused_in_words() -> None:
    with pytest.raises(NotFound, match="exact_match"):
        scorer({"name": "vibes"})
    with pytest.raises(InvalidInput, match="length"):
        scorer({"name": "length", "unit": "cm"})
