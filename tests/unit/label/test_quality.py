"""How people answer, as help."""

from __future__ import annotations

from storage.tables import Annotation, LabelItem, LabelTask
from studio.label.quality import consensus, estimated_accuracy, reading_notes

QUESTIONS = [{"name": "verdict", "kind": "label"}, {"name": "output", "kind": "text"}]
TASK = LabelTask(id="t", dataset_id="d", name="x", spec={"questions": QUESTIONS})


def said(answers: dict[str, str]) -> list[Annotation]:
    """Person → one letter per item: c correct, w wrong, . nothing."""
    words = {"c": "correct", "w": "wrong", "u": "unsure"}
    return [
        Annotation(task_id="t", item_id=f"i{at}", annotator=who, answers={"verdict": words[letter]})
        for who, row in answers.items()
        for at, letter in enumerate(row)
        if letter in words
    ]


def test_a_question_that_two_people_read_differently_is_said_to_both() -> None:
    notes = reading_notes(TASK, said({"mia": "ccccccccccccwwuu", "noah": "wwwwwwwwwcccwwcw"}))
    sentence = "mia and noah read “verdict” differently: 9 of 11 disagreements are mia “correct”, noah “wrong”."
    assert notes == {"mia": [sentence], "noah": [sentence]}


def test_few_or_mixed_disagreements_make_no_note() -> None:
    assert reading_notes(TASK, said({"mia": "cccccccc", "noah": "wwcccccc"})) == {}
    assert reading_notes(TASK, said({"mia": "ccwwuucw", "noah": "wucucwcw"})) == {}


def test_error_rates_are_estimated_for_three_people() -> None:
    answers = said({"mia": "cwcwcwcwcwcw", "noah": "cwcwcwcwcwcw", "otto": "ccccccwwwwww"})
    found = estimated_accuracy(TASK, answers, {})
    assert found["mia"][0] > 0.9 and found["otto"][0] < 0.6 and found["mia"][1] == 12
    assert consensus(TASK, answers, "verdict")["i1"] == "wrong"


def test_two_people_alone_tell_nothing_about_who_errs_unless_answers_are_known() -> None:
    answers = said({"mia": "cwcwcwcwcwcw", "noah": "ccccccwwwwww"})
    assert estimated_accuracy(TASK, answers, {}) == {}
    truth = {f"i{at}": {"verdict": word} for at, word in enumerate(["correct", "wrong"] * 3)}
    items = {key: LabelItem(id=key, task_id="t", example_id=key, gold=known) for key, known in truth.items()}
    found = estimated_accuracy(TASK, answers, items)
    assert found["mia"][0] > found["noah"][0]


def test_too_few_items_tell_nothing() -> None:
    assert estimated_accuracy(TASK, said({"mia": "cw", "noah": "cw", "otto": "cc"}), {}) == {}
