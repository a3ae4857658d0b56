"""What each template asks, and what answers to it mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio.errors import InvalidInput
from studio.label.backend import QuestionKind
from studio.label.publishing import question_facts
from studio.label.templates import TEMPLATES, Asked, scales_of, template
from studio.label.templates.compare import preferred

SHOWN = '{"category": "billing", "urgent": false}'
AB = ({"name": "a", "output": "first", "model": "x"}, {"name": "b", "output": "second", "model": "y"})
ABC = (*AB, {"name": "c", "output": "third", "model": "z"})
OPTIONS: dict[str, dict[str, Any]] = {
    "pick_label": {"labels": ["spam", "ham"]},
    "spans": {"labels": ["personal data"]},
    "custom": {"questions": [{"title": "Why?", "kind": "text"}]},
}


def ranked(**places: int) -> dict[str, Any]:
    return {"ranking": [{"value": name, "rank": rank} for name, rank in places.items()]}


def given(*answers: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"person{at}", each) for at, each in enumerate(answers)]


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_asks_something_that_can_be_stored_and_measured(name: str) -> None:
    questions = template(name).questions(OPTIONS.get(name, {}))
    assert any(each.required for each in questions)
    assert set(scales_of(questions)) == {each.name for each in questions}
    assert json.loads(json.dumps([question_facts(each) for each in questions]))
    assert template(name).title and template(name).caption and template(name).guidelines


def test_reasons_of_a_verdict_can_be_chosen_or_dropped() -> None:
    kinds = {each.name: each for each in template("verdict").questions({"reasons": ["too long", "too short"]})}
    assert kinds["reasons"].options == ("too long", "too short") and not kinds["reasons"].required
    assert [each.name for each in template("verdict").questions({"reasons": []})] == ["verdict", "output", "rating"]


def test_a_rubric_has_one_rating_per_criterion() -> None:
    found = template("rating").questions({"criteria": ["Polite", "polite ", "Correct?", "correct"]})
    assert [each.name for each in found] == ["polite", "polite_2", "correct", "correct_2"]
    assert [each.name for each in template("rating").questions({})] == ["rating"]
    with pytest.raises(InvalidInput, match="10 criteria"):
        template("rating").questions({"criteria": [str(at) for at in range(11)]})


@pytest.mark.parametrize("labels", ["spam,ham", 7, {"spam": 1}, [1, 2], ["x" * 300, "y"]])
def test_labels_that_are_no_list_of_short_texts_are_refused(labels: object) -> None:
    with pytest.raises(InvalidInput, match="texts"):
        template("pick_label").questions({"labels": labels})


def test_a_label_fills_its_field_of_a_json_answer_and_keeps_the_type() -> None:
    asked = Asked({"labels": ["true", "false"], "field": "urgent"})
    assert template("pick_label").output({"label": "true"}, SHOWN, asked) == '{"category": "billing", "urgent": true}'
    assert template("pick_label").output({"label": "true"}, "no json", asked) is None
    assert template("pick_label").output({}, SHOWN, asked) is None


def test_several_labels_are_decided_each_by_its_own_majority() -> None:
    asked = Asked({"labels": ["x", "y", "z"], "multi": True})
    pick = template("pick_label")
    some = pick.decision(given({"label": ["y", "x"]}, {"label": ["x"]}, {"label": ["x", "y", "z"]}), "old", asked)
    assert (some.verdict, some.output, some.rule) == ("corrected", '["x", "y"]', "majority")
    assert pick.decision(given({"label": ["x"]}, {"label": ["x"]}), "old", asked).rule == "agreement"
    assert pick.decision(given({"label": ["x"]}, {"label": ["y"]}), "old", asked).verdict == "disputed"
    assert pick.decision(given({"label": ["x"]}, {"label": ["y"]}, {"label": ["z"]}), "", asked).verdict == "disputed"


def test_spans_that_more_than_half_marked_exactly_are_kept() -> None:
    name, mail = {"start": 0, "end": 4, "label": "name"}, {"start": 9, "end": 20, "label": "mail"}
    spans = template("spans")
    found = spans.decision(given({"spans": [name, mail]}, {"spans": [name]}, {"spans": [name]}), "text")
    assert found.verdict == "marked" and found.rule == "majority" and json.loads(found.output or "") == [name]
    assert spans.decision(given({"found": "nothing"}, {"found": "nothing", "spans": [name]}), "text").output == "[]"
    assert spans.decision(given({"spans": [name]}, {"spans": [mail]}), "text").verdict == "disputed"


def test_a_ranking_reads_as_preferences_and_ties_prefer_nothing() -> None:
    compare = template("compare")
    assert compare.preferences(ranked(a=2, b=1, c=2), ABC) == [("b", "a"), ("b", "c")]
    assert compare.preferences(ranked(a=1), ABC) == [] and compare.preferences({}, ABC) == []
    assert compare.output(ranked(a=2, b=1), "first", Asked({}, AB)) == "second"
    assert compare.output(ranked(a=1, b=1), "first", Asked({}, AB)) is None
    assert compare.output({}, "first") is None


@pytest.mark.parametrize(
    ("rankings", "verdict", "output"),
    [
        ([ranked(a=2, b=1), ranked(a=2, b=1)], "corrected", "second"),
        ([ranked(a=1, b=2), ranked(a=1, b=2), ranked(a=2, b=1)], "confirmed", "first"),
        ([ranked(a=1, b=2), ranked(a=2, b=1)], "disputed", None),
        ([ranked(a=1, b=1), ranked(a=1, b=1)], "tied", None),
        ([ranked(a=2, b=1), ranked(a=1, b=1)], "tied", None),
        ([ranked(a=2, b=1), ranked(a=1, b=1), ranked(a=2, b=1)], "corrected", "second"),
    ],
)
def test_an_answer_wins_when_more_than_half_prefer_it_to_every_other(
    rankings: list[dict[str, Any]], verdict: str, output: str | None
) -> None:
    found = template("compare").decision(given(*rankings), "first", Asked({}, AB))
    assert (found.verdict, found.output) == (verdict, output)


def test_a_circle_of_preferences_has_no_winner_but_three_pairs() -> None:
    circle = given(ranked(a=1, b=2, c=3), ranked(a=3, b=1, c=2), ranked(a=2, b=3, c=1))
    assert template("compare").decision(circle, "first", Asked({}, ABC)).verdict == "disputed"
    pairs = [(each.better, each.worse, each.votes, each.against) for each in preferred(circle, ABC)]
    assert pairs == [("a", "b", 2, 1), ("b", "c", 2, 1), ("c", "a", 2, 1)]


def test_comparing_takes_two_or_three_answers() -> None:
    assert template("compare").questions({})[0].options == ("A", "B")
    assert template("compare").questions({"answers": 3})[0].options == ("A", "B", "C")
    for count in (1, 4, True, "2"):
        with pytest.raises(InvalidInput, match="2 or 3"):
            template("compare").questions({"answers": count})


def test_custom_questions_are_made_of_their_facts() -> None:
    facts = [
        {"title": "Tone?", "kind": "label", "options": ["warm", "cold", "warm"]},
        {"title": "Tone?", "kind": "rating", "ratings": [0, 2, 1], "required": False},
        {"name": "why-not", "title": "Why?", "kind": "text", "description": "In a few words."},
    ]
    tone, rating, why = template("custom").questions({"questions": facts})
    assert (tone.name, tone.options, rating.name, rating.ratings) == ("tone", ("warm", "cold"), "tone_2", (0, 1, 2))
    assert (why.name, why.kind, why.description, why.required) == (
        "why-not",
        QuestionKind.TEXT,
        "In a few words.",
        True,
    )


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"title": "", "kind": "text"}, "Question 2 has no title"),
        ({"title": "Mood?", "kind": "colour"}, r"Question 2 \(Mood\?\): there is no kind 'colour'.*label"),
        ({"title": "Mood?", "kind": "label", "options": ["sad"]}, r"Question 2 \(Mood\?\): give at least 2"),
        ({"title": "Mood?", "kind": "span"}, "at least 1"),
        ({"title": "Mood?", "kind": "label", "options": "sad"}, "list of texts"),
        ({"title": "Mood?", "kind": "text", "name": "My Mood"}, "a-z"),
        ({"title": "Mood?", "kind": "text", "name": "first"}, "another question"),
        ({"title": "Mood?", "kind": "text", "required": "yes"}, "true or false"),
        ({"title": "Mood?", "kind": "rating", "ratings": [3]}, "two or more"),
        ({"title": "Mood?", "kind": "rating", "ratings": [1, 99]}, "0 to 10"),
        ({"title": "x" * 501, "kind": "text"}, "500"),
        ("Mood?", "Question 2 must be a mapping"),
    ],
)
def test_a_custom_question_that_cannot_work_is_named(facts: object, says: str) -> None:
    first = {"name": "first", "title": "First", "kind": "text"}
    with pytest.raises(InvalidInput, match=says):
        template("custom").questions({"questions": [first, facts]})


@pytest.mark.parametrize("questions", [None, [], "text", [{"title": "Why?", "kind": "text", "required": False}]])
def test_custom_questions_must_ask_something(questions: object) -> None:
    with pytest.raises(InvalidInput, match="at least one question"):
        template("custom").questions({"questions": questions})
