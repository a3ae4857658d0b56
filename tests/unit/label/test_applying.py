"""From answers to outputs, and what people dispute."""

from __future__ import annotations

import pytest
from sqlmodel import select

from storage.tables import Resolution
from studio.access.actor import Actor
from studio.errors import Conflict, InvalidInput
from studio.label.resolving import Applied
from tests.unit.label.conftest import Desk

ME = Actor.operator("rita")
FIX, OTHER = '{"category": "returns"}', '{"category": "other"}'


def counts(done: Applied) -> tuple[int, int, int, int]:
    return done.confirmed, done.corrected, done.disputed, done.waiting


def test_agreed_answers_become_verified_outputs(desk: Desk) -> None:
    task = desk.send()
    confirmed, corrected, disputed, waiting = desk.ids(task)
    for who in ("mia", "noah"):
        desk.say(task, who, confirmed, "correct")
        desk.say(task, who, corrected, "wrong", FIX if who == "mia" else '{ "category":"returns" }')
    desk.say(task, "mia", disputed, "correct")
    desk.say(task, "noah", disputed, "wrong", OTHER)
    desk.say(task, "mia", waiting, "correct")
    desk.labeling.sync(task.id)

    assert counts(desk.labeling.apply(ME, task.id)) == (1, 1, 1, 1)
    right, fixed = desk.example(task, confirmed), desk.example(task, corrected)
    assert right.output == right.original_output and right.verified and right.output_source == "people"
    assert (fixed.output, fixed.verified, fixed.output_source) == (FIX, True, "people") and fixed.resolution_id
    for untouched in (disputed, waiting):
        assert not desk.example(task, untouched).verified
    assert desk.labeling.progress(task.id).verdicts == {"confirmed": 1, "corrected": 1, "disputed": 1}


def test_applying_again_changes_nothing_and_new_answers_are_taken_in(desk: Desk) -> None:
    task = desk.send()
    item = desk.ids(task)[0]
    for who in ("mia", "noah"):
        desk.say(task, who, item, "correct")
    desk.labeling.sync(task.id)
    first = desk.labeling.apply(ME, task.id)
    before = desk.example(task, item)
    assert counts(desk.labeling.apply(ME, task.id)) == counts(first)
    assert desk.example(task, item).updated_at == before.updated_at
    for who in ("mia", "noah"):
        desk.say(task, who, item, "wrong", FIX)
    desk.labeling.sync(task.id)
    assert counts(desk.labeling.apply(ME, task.id)) == (0, 1, 0, 3)
    assert desk.example(task, item).output == FIX


def test_people_who_change_their_minds_into_disagreement_take_the_verification_back(desk: Desk) -> None:
    task = desk.send()
    item = desk.ids(task)[0]
    for who in ("mia", "noah"):
        desk.say(task, who, item, "correct")
    desk.labeling.sync(task.id)
    desk.labeling.apply(ME, task.id)
    desk.say(task, "noah", item, "wrong", FIX)
    desk.labeling.sync(task.id)
    assert desk.labeling.apply(ME, task.id).disputed == 1
    assert not desk.example(task, item).verified


def test_drafts_and_discards_decide_nothing(desk: Desk) -> None:
    task = desk.send(answers_per_item=1)
    first, second, *_rest = desk.ids(task)
    desk.say(task, "mia", first, "wrong", FIX, status="draft")
    desk.say(task, "mia", second, "wrong", FIX, status="discarded")
    desk.labeling.sync(task.id)
    assert counts(desk.labeling.apply(ME, task.id)) == (0, 0, 0, 4)


def test_two_of_three_are_a_majority(desk: Desk) -> None:
    task = desk.send(answers_per_item=3, people=("mia", "noah", "otto"))
    item = desk.ids(task)[0]
    for who, output in (("mia", FIX), ("noah", OTHER), ("otto", FIX)):
        desk.say(task, who, item, "wrong", output)
    desk.labeling.sync(task.id)
    assert desk.labeling.apply(ME, task.id).corrected == 1
    assert desk.example(task, item).output == FIX


def test_a_closed_task_decides_with_the_answers_it_has(desk: Desk) -> None:
    task = desk.send()
    item = desk.ids(task)[0]
    desk.say(task, "mia", item, "wrong", FIX)
    desk.labeling.close(ME, task.id)
    assert counts(desk.labeling.apply(ME, task.id)) == (0, 1, 0, 3)


def test_an_output_changed_meanwhile_by_another_way_is_disputed_not_overwritten(desk: Desk) -> None:
    task = desk.send()
    item = desk.ids(task)[0]
    desk.change(desk.example(task, item).id, output=OTHER, output_source="correction", verified=True)
    for who in ("mia", "noah"):
        desk.say(task, who, item, "wrong", FIX)
    desk.labeling.sync(task.id)
    assert desk.labeling.apply(ME, task.id).disputed == 1
    assert desk.example(task, item).output == OTHER and desk.example(task, item).verified


def test_a_verified_answer_takes_the_objection_to_the_old_one_back(desk: Desk) -> None:
    task = desk.send()
    item = desk.ids(task)[0]
    desk.change(desk.example(task, item).id, excluded="thumbs_down")
    for who in ("mia", "noah"):
        desk.say(task, who, item, "wrong", FIX)
    desk.labeling.sync(task.id)
    desk.labeling.apply(ME, task.id)
    assert desk.example(task, item).excluded is None


def test_review_shows_every_answer_and_its_word_stands(desk: Desk) -> None:
    task = desk.send()
    item, second, *_rest = desk.ids(task)
    for each in (item, second):
        desk.say(task, "mia", each, "correct")
        desk.say(task, "noah", each, "wrong", FIX)
    desk.labeling.sync(task.id)
    desk.labeling.apply(ME, task.id)
    assert desk.labeling.undecided(desk.project.id) == 2

    [dispute, _other] = desk.labeling.disputes(desk.project.id, task.id)
    assert [(each.annotator, output) for each, output in dispute.answers] == [
        ("mia", dispute.shown_output),
        ("noah", FIX),
    ]
    decided = desk.labeling.decide(ME, dispute.item_id, FIX)
    assert (decided.verdict, decided.rule, decided.decided_by) == ("corrected", "review", "rita")
    assert desk.example(task, dispute.item_id).output == FIX
    desk.labeling.leave_out(ME, second)
    assert desk.example(task, second).excluded == "disputed" and not desk.example(task, second).verified
    assert desk.labeling.undecided(desk.project.id) == 0
    done = desk.labeling.apply(ME, task.id)
    assert done.reviewed == 2 and desk.example(task, dispute.item_id).output == FIX


def test_an_empty_decision_is_refused(desk: Desk) -> None:
    task = desk.send()
    with pytest.raises(InvalidInput, match="empty"):
        desk.labeling.decide(ME, desk.ids(task)[0], "  \n")


def test_a_rating_task_measures_and_changes_no_output(desk: Desk) -> None:
    task = desk.send(template="rating")
    for at, item in enumerate(desk.ids(task)):
        desk.platform.say(task.backend_ref, "mia", item, "submitted", {"rating": at + 1})
        desk.platform.say(task.backend_ref, "noah", item, "submitted", {"rating": at + 1})
    desk.labeling.sync(task.id)
    [agreement] = desk.labeling.agreement(task.id)
    assert (agreement.question, agreement.percent, agreement.n) == ("rating", 100, 4)
    assert agreement.kappa == pytest.approx(1) and "ordinal" in agreement.measure
    with pytest.raises(Conflict, match="only measures"):
        desk.labeling.apply(ME, task.id)


def test_picked_labels_become_outputs(desk: Desk) -> None:
    task = desk.send(template="pick_label", options={"labels": ("spam", "ham")})
    item = desk.ids(task)[0]
    for who in ("mia", "noah"):
        desk.platform.say(task.backend_ref, who, item, "submitted", {"label": "spam"})
    desk.labeling.sync(task.id)
    assert desk.labeling.apply(ME, task.id).corrected == 1 and desk.example(task, item).output == "spam"


def test_agreement_is_told_in_a_line(desk: Desk) -> None:
    task = desk.send()
    for at, item in enumerate(desk.ids(task)):
        desk.say(task, "mia", item, "correct")
        desk.say(task, "noah", item, "correct" if at else "unsure")
    desk.labeling.sync(task.id)
    lines = [str(each) for each in desk.labeling.agreement(task.id)]
    assert lines[0].startswith("verdict: 75 % equal, Cohen's κ 0.00 (95 % interval") and lines[0].endswith("n = 4)")


def test_a_resolution_carries_the_names_of_those_who_stand_by_it(desk: Desk) -> None:
    task = desk.send(answers_per_item=3, people=("mia", "noah", "otto"))
    decided, disputed = desk.ids(task)[:2]
    for who, output in (("otto", FIX), ("noah", OTHER), ("mia", FIX)):
        desk.say(task, who, decided, "wrong", output)
        desk.say(task, who, disputed, "unsure")
    desk.labeling.sync(task.id)
    desk.labeling.apply(ME, task.id)
    with desk.labeling.database.read() as session:
        signed = {row.item_id: row.decided_by for row in session.exec(select(Resolution))}
    assert signed == {decided: "mia, otto", disputed: ""}
