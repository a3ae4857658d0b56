"""Gold questions: known answers mixed in, seen by nobody, deciding nothing."""

from __future__ import annotations

import pytest

from storage.tables import Example
from studio.access.actor import Actor
from studio.errors import InvalidInput
from studio.label import gold
from tests.unit.label.conftest import Desk

ME = Actor.operator()


def verified(desk: Desk, places: dict[int, str | None]) -> None:
    """Mark examples as verified, some with another output than the model's."""
    with desk.labeling.database.write() as session:
        rows = {row.prompt_hash: row for row in session.query(Example).all()}
        for place, output in places.items():
            row = rows[f"{place:064d}"]
            row.verified, row.output = True, output or row.output


def made(output: str, original: str = "") -> Example:
    return Example(id=output + original, dataset_id="d", output=output, original_output=original or output)


def test_a_confirmed_answer_is_known_to_be_correct_and_a_corrected_one_is_shown_wrong() -> None:
    found = gold.gold_items([made('{"a": 1}', '{ "a":1 }'), made("yes", "no")], "verdict", {}, 2, 0)
    assert {(each.shown, each.known["verdict"]) for each in found} == {('{ "a":1 }', "correct"), ("no", "wrong")}


def test_half_of_them_show_a_wrong_answer_where_there_are_enough() -> None:
    examples = [made(f"right {n}", f"wrong {n}") for n in range(20)] + [made(f"fine {n}") for n in range(20)]
    verdicts = [each.known["verdict"] for each in gold.gold_items(examples, "verdict", {}, 10, 0)]
    assert (verdicts.count("wrong"), verdicts.count("correct")) == (5, 5)
    few = gold.gold_items(examples[:22], "verdict", {}, 10, 0)
    assert [each.known["verdict"] for each in few].count("wrong") == 8


@pytest.mark.parametrize(
    ("output", "options", "known"),
    [
        ("spam", {"labels": ["spam", "ham"]}, "spam"),
        ("eggs", {"labels": ["spam", "ham"]}, None),
        ('{"kind": "spam"}', {"labels": ["spam", "ham"], "field": "kind"}, "spam"),
        ('{"human": true}', {"labels": ["true", "false"], "field": "human"}, "true"),
        ('["ham", "spam"]', {"labels": ["spam", "ham"], "multi": True}, ["ham", "spam"]),
        ("not json", {"labels": ["spam", "ham"], "field": "kind"}, None),
    ],
)
def test_the_known_label_is_the_verified_one(output: str, options: dict[str, object], known: object) -> None:
    found = gold.gold_items([made(output)], "pick_label", options, 1, 0)
    assert [each.known for each in found] == ([{"label": known}] if known else [])


@pytest.mark.parametrize(
    ("known", "given", "right"),
    [
        ({"verdict": "wrong"}, {"verdict": "wrong", "output": "x"}, True),
        ({"verdict": "wrong"}, {"verdict": "correct"}, False),
        ({"verdict": "wrong"}, {"output": "x"}, None),
        ({"label": ["a", "b"]}, {"label": ["b", "a"]}, True),
        ({"label": ["a", "b"]}, {"label": ["a"]}, False),
    ],
)
def test_an_answer_is_right_when_it_says_what_is_known(known: dict, given: dict, right: bool | None) -> None:  # type: ignore[type-arg]
    assert gold.is_right(known, given) is right


def test_their_places_are_spread_by_chance() -> None:
    orders = {tuple(gold.mixed(6, 2, seed)) for seed in range(40)}
    assert all(sum(order) == 2 and len(order) == 8 for order in orders) and len(orders) > 15
    assert gold.mixed(6, 2, 1) == gold.mixed(6, 2, 1)


def test_they_are_mixed_in_where_nobody_can_tell(desk: Desk) -> None:
    verified(desk, {0: None, 1: '{"category": "refund"}', 2: None})
    task = desk.send(size=6, gold_percent=25)
    items = [item for item, _example in desk.labeling.items(task.id)]
    known = [item for item in items if item.gold]
    assert (len(items), len(known)) == (8, 2)
    sent = desk.platform.items[task.backend_ref]
    told = repr([sent[item.id] for item in known])
    assert "gold" not in told.replace("golden", "") and "known" not in told
    reasons = {item.reason for item in items if not item.gold}
    assert all(item.reason in reasons for item in known)
    assert {item.gold["verdict"] for item in known} == {"correct", "wrong"}


def test_they_change_no_output_and_measure_each_person(desk: Desk) -> None:
    verified(desk, {0: None, 1: '{"category": "refund"}'})
    task = desk.send(size=4, gold_percent=33)
    known = {item.id: item for item, _example in desk.labeling.items(task.id) if item.gold}
    before = {item.example_id: desk.example(task, item.id).output for item in known.values()}
    for item_id in desk.ids(task):
        desk.say(task, "mia", item_id, known[item_id].gold["verdict"] if item_id in known else "correct")
        desk.say(task, "noah", item_id, "correct")
    desk.labeling.sync(task.id)
    applied = desk.labeling.apply(ME, task.id)
    assert applied.confirmed == 4 and applied.disputed == 0
    assert {item.example_id: desk.example(task, item.id).output for item in known.values()} == before
    mia, noah = desk.labeling.quality(ME, task.id)
    assert (mia.username, mia.gold_right, mia.gold_n) == ("mia", 2, 2)
    assert (noah.gold_right, noah.gold_n) == (1, 2) and noah.gold_low is not None and noah.gold_low < 0.5
    assert [each.n for each in desk.labeling.agreement(task.id) if each.question == "verdict"] == [4]


def test_without_verified_examples_there_are_none_and_the_reason_is_said(desk: Desk) -> None:
    with pytest.raises(InvalidInput, match="Verify some on Curate"):
        desk.send(gold_percent=10)
    with pytest.raises(InvalidInput, match="right answer that can be compared"):
        desk.send(gold_percent=10, template="rating")


def test_too_few_are_told_in_the_preview(desk: Desk) -> None:
    verified(desk, {0: None})
    preview = desk.labeling.preview(desk.draft(size=6, gold_percent=40))
    assert preview.total == 7 and any("Only 1 verified" in note for note in preview.notes)
    assert sum(item.gold for item in preview.items) == 1
