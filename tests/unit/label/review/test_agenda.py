"""What comes onto an agenda, in which order, with which reason, and what there is to choose."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from storage.tables import (
    Annotation,
    Example,
    LabelItem,
    LabelTask,
    Resolution,
    ReviewItem,
    ReviewSession,
)
from storage.types import now
from studio.capture.feedback import FeedbackIntake
from studio.errors import InvalidInput, NotFound
from studio.label.review.agenda import pace
from studio.label.review.shapes import AgendaLine
from tests.unit.label.review.conftest import FIX, RITA, Board, call_of, evaluated, example, label

OTHER = '{"category": "other"}'


def lines(board: Board, kind: str, minutes: int = 30, **more: Any) -> list[AgendaLine]:
    return board.reviews.preview(board.project.id, board.dataset.id, {"kind": kind, **more}, minutes)


def of_task(board: Board, minutes: int = 30) -> list[AgendaLine]:
    return lines(board, "task", minutes, task_id=board.task.id)


def test_disputes_come_with_what_is_said_but_not_by_whom_and_agreements_do_not(board: Board) -> None:
    found = of_task(board)
    assert [each.reason for each in found] == ["one says correct, one says wrong"] * 3
    assert lines(board, "disputes") == found


def test_the_more_split_people_are_the_earlier_it_comes(board: Board) -> None:
    split = label(board, 20, mia=("correct", ""), noah=("wrong", FIX), otto=("wrong", OTHER))
    first = of_task(board)[0]
    assert first.label_item_id == split.id
    assert first.reason == "one says correct, two say wrong"


def test_golden_examples_come_before_training_ones_that_are_as_split(board: Board) -> None:
    golden = board.row(Example, of_task(board)[-1].example_id)
    board.change(golden, split="golden")
    assert of_task(board)[0].example_id == golden.id


def test_a_disagreement_nobody_applied_yet_is_found_and_a_settled_one_is_not(board: Board) -> None:
    fresh = label(board, 20, disputed=False, mia=("correct", ""), noah=("wrong", FIX))
    settled = label(board, 21, mia=("correct", ""), noah=("wrong", FIX))
    board.change(board.rows(Resolution, item_id=settled.id)[0], verdict="corrected", rule="review")
    found = [each.label_item_id for each in of_task(board)]
    assert fresh.id in found and settled.id not in found


def test_items_with_known_answers_measure_people_and_are_not_discussed(board: Board) -> None:
    gold = label(board, 20, disputed=False, mia=("correct", ""), noah=("wrong", FIX))
    board.change(gold, gold={"verdict": "correct"})
    assert gold.id not in [each.label_item_id for each in of_task(board)]


def test_ratings_far_apart_are_a_disagreement_and_near_ones_are_not(board: Board) -> None:
    task = LabelTask(dataset_id=board.dataset.id, name="Rate", template="rating", state="open")
    board.add(task)
    for number, (one, other) in enumerate([(1, 5), (4, 5)], start=50):
        row = example(board.dataset, number)
        item = LabelItem(task_id=task.id, example_id=row.id, shown_output=row.output)
        board.add(row)
        board.add(item)
        said = {"mia": one, "noah": other}
        board.add(
            *[
                Annotation(task_id=task.id, item_id=item.id, annotator=who, answers={"rating": n})
                for who, n in said.items()
            ]
        )
    [found] = lines(board, "task", task_id=task.id)
    assert found.reason == "one rates it 1, one rates it 5"


def test_everybody_who_stands_by_an_answer_is_with_it_and_the_order_tells_nothing(board: Board) -> None:
    label(
        board,
        20,
        mia=("wrong", FIX),
        noah=("wrong", '{"category":"returns"}'),
        otto=("wrong", OTHER),
        pia=("correct", ""),
    )
    line = next(each for each in of_task(board) if each.reason == "three say wrong, one says correct")
    by = {each["output"]: each["by"] for each in line.choices}
    assert by[FIX] == ["mia", "noah"] and by[OTHER] == ["otto"] and ["the model", "pia"] in by.values()
    for number in range(30, 60):
        label(board, number, mia=("correct", ""), noah=("wrong", FIX))
    places = [place for each in of_task(board) for place, one in enumerate(each.choices) if "the model" in one["by"]]
    assert 5 < places.count(0) < len(places) - 5
    assert [each.choices for each in of_task(board)] == [each.choices for each in of_task(board)]


def test_at_most_five_answers_are_offered_the_best_supported_ones(board: Board) -> None:
    said = {f"p{number}": ("wrong", f'{{"n": {number}}}') for number in range(7)}
    label(board, 20, **said, mia=("wrong", FIX), noah=("wrong", FIX))
    line = next(each for each in of_task(board) if each.reason.startswith("nine say wrong"))
    assert len(line.choices) == 5 and FIX in [each["output"] for each in line.choices]


def test_complaints_say_how_many_users_and_when(board: Board) -> None:
    intake, entry = FeedbackIntake(board.database), call_of(board, example(board.dataset, 70))
    row = example(board.dataset, 70, log_entry_id=entry.id)
    board.add(row)
    for who in ("u1", "u2", "u2"):
        intake.give(board.project.id, uid=entry.uid, kind="thumbs", value=0, given_by=who)
    intake.give(board.project.id, uid=entry.uid, kind="correction", text=OTHER, given_by="u3")
    [found] = lines(board, "feedback")
    assert "2 users rated this down this week" in found.reason and "1 user corrected this this week" in found.reason
    assert {each["output"]: each["by"] for each in found.choices}[OTHER] == ["a user's correction"]
    board.change(row, verified=True, updated_at=now() + timedelta(seconds=1))
    assert lines(board, "feedback") == []  # people looked at it since


@pytest.mark.parametrize(("value", "largest", "is_low"), [(0.2, 1, True), (0.8, 1, False), (2, 5, True), (4, 5, False)])
def test_a_low_score_is_low_on_its_own_scale(board: Board, value: float, largest: float, is_low: bool) -> None:
    intake = FeedbackIntake(board.database)
    for number, given in enumerate((value, largest)):
        entry = call_of(board, example(board.dataset, 70 + number))
        if not number:
            board.add(example(board.dataset, 70, log_entry_id=entry.id))
        intake.give(board.project.id, uid=entry.uid, kind="score", name="quality", value=given)
    assert bool(lines(board, "feedback")) == is_low


def test_models_that_agree_against_people_are_a_conflict(board: Board) -> None:
    row = example(board.dataset, 70, verified=True, split="golden")
    board.add(row)
    evaluated(board, row, OTHER, '{"category":"other"}', row.output)
    [found] = lines(board, "conflicts")
    assert found.reason == "2 of 3 models answer the same, and not what people verified"
    assert [each["by"] for each in found.choices if each["output"] != row.output] == [["2 of 3 models"]]


def test_models_that_differ_each_in_its_own_way_are_none(board: Board) -> None:
    row = example(board.dataset, 70, verified=True, split="golden")
    board.add(row)
    evaluated(board, row, "a", "b", "c")
    assert lines(board, "conflicts") == []


def test_a_judge_who_sees_it_otherwise_than_people_is_a_conflict(board: Board) -> None:
    row = example(board.dataset, 70, verified=True, split="golden")
    board.add(row)
    evaluated(board, row, row.output, scores={"judge": 0.1})
    [found] = lines(board, "conflicts")
    assert found.reason == "the judge gives the people's answer 0.10"


def test_new_topics_come_as_one_representative_each(board: Board) -> None:
    texts = ["my parcel never arrived at home"] * 4 + ["the invoice shows a wrong amount"] * 4
    texts += ["the password reset mail is missing"] * 2
    with board.database.write() as session:
        for row in session.exec(select(Example)).all():
            row.verified = True
        for number, text in enumerate(texts):
            row = example(board.dataset, 200 + number)
            row.messages = [{"role": "user", "content": f"{text} {number}"}]
            session.add(row)
    found = lines(board, "topics")
    shown = [board.row(Example, each.example_id).messages[0]["content"].rsplit(" ", 1)[0] for each in found]
    assert sorted(shown) == sorted(set(texts))
    assert all(each.reason.startswith("unlike anything people looked at so far (") for each in found)


def test_by_value_people_come_before_models_before_complaints_before_topics(board: Board) -> None:
    row = example(board.dataset, 70, verified=True, split="golden")
    entry = call_of(board, example(board.dataset, 71))
    board.add(row, example(board.dataset, 71, log_entry_id=entry.id))
    evaluated(board, row, OTHER, OTHER)
    FeedbackIntake(board.database).give(board.project.id, uid=entry.uid, kind="thumbs", value=0)
    found = lines(board, "value")
    reasons = [each.reason for each in found]
    assert [each.value for each in found] == sorted((each.value for each in found), reverse=True)
    assert "says" in reasons[2] and "models" in reasons[3] and "rated this down" in reasons[4]
    assert "unlike" in reasons[-1] and len({each.example_id for each in found}) == len(found)


def test_an_agenda_holds_what_fits_the_time(board: Board) -> None:
    assert len(of_task(board, minutes=2)) == 2
    assert len(of_task(board, minutes=1)) == 1


def test_the_pace_of_the_project_is_measured_once_there_are_enough_decisions() -> None:
    start = now()
    few = [("s", start + timedelta(seconds=20 * number)) for number in range(5)]
    many = [("s", start + timedelta(seconds=20 * number)) for number in range(12)]
    later = [("t", start + timedelta(days=1, seconds=20 * number)) for number in range(3)]
    assert pace(few) == 45 and pace(many) == 20 and pace([*many, *later]) == 20


def test_what_waits_in_an_open_session_is_on_no_other_agenda(board: Board) -> None:
    review = board.start(minutes=1)
    taken = board.items(review)[0].example_id
    assert taken not in [each.example_id for each in of_task(board)] and len(of_task(board)) == 2
    board.reviews.close(RITA, review.id)
    assert len(of_task(board)) == 3


@pytest.mark.parametrize(
    ("source", "minutes"),
    [({"kind": "gossip"}, 30), ({}, 30), ({"kind": "task"}, 30), ({"kind": "disputes"}, 0), ({"kind": "feedback"}, 30)],
)
def test_an_agenda_that_cannot_be_made_is_refused(board: Board, source: dict[str, str], minutes: int) -> None:
    with pytest.raises(InvalidInput):
        board.start(source=source, minutes=minutes)
    assert board.rows(ReviewSession) == [] and board.rows(ReviewItem) == []


def test_people_who_may_not_label_are_not_expected(board: Board) -> None:
    with pytest.raises(InvalidInput, match="vera"):
        board.start(people=("mia", "vera"))
    with pytest.raises(NotFound):
        board.reviews.start(RITA, "none", "Thursday", {"kind": "disputes"})
