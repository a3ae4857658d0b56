"""What the platform is sent, what is left out and why, and what comes back over time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from storage.repositories.decisions import DecisionRepository
from storage.repositories.labels import AnnotationRepository
from storage.tables import Annotation, Example, LabelTask, LogEntry
from storage.types import now
from studio.access.actor import Actor
from studio.errors import InvalidInput
from studio.label.publishing import questions_of, skipped_items
from tests.unit.label.conftest import Desk

ME = Actor.operator()


def annotations(desk: Desk, task: LabelTask) -> dict[tuple[str, str], Annotation]:
    with desk.labeling.database.read() as session:
        return {(row.item_id, row.annotator): row for row in AnnotationRepository(session).of_task(task.id)}


def answered(desk: Desk, task: LabelTask, who: str, item: str, at: datetime, **values: Any) -> None:
    desk.platform.say(task.backend_ref, who, item, "submitted", {"verdict": "correct", **values})
    given = desk.platform.given[task.backend_ref]
    given[item, who] = replace(given[item, who], updated_at=at)


def test_a_row_without_messages_is_left_out_told_and_free_again(desk: Desk) -> None:
    task = desk.labeling.create(ME, desk.draft(size=4))
    (_item, bad), *rest = desk.labeling.items(task.id)
    desk.change(bad.id, messages=[])
    task = desk.publish(task)
    [skipped] = skipped_items(task)
    assert (skipped.example_id, skipped.reason) == (bad.id, "it has no messages")
    assert task.state == "open" and desk.ids(task) == [item.id for item, _example in rest]
    assert set(desk.platform.items[task.backend_ref]) == set(desk.ids(task))


def test_messages_of_another_shape_do_not_sink_the_task(desk: Desk) -> None:
    task = desk.labeling.create(ME, desk.draft(size=4))
    rows = desk.labeling.items(task.id)
    odd: list[Any] = [["text"], [{"role": "user", "tool_calls": 5}], ["text", {"content": "fine"}], [{"content": 7}]]
    for (_item, example), messages in zip(rows, odd, strict=True):
        desk.change(example.id, messages=messages)
    task = desk.publish(task)
    assert len(skipped_items(task)) == 3
    [item] = desk.platform.items[task.backend_ref].values()
    assert item.messages == [{"role": "user", "content": "fine"}]


def test_a_task_of_which_nothing_can_be_sent_says_why(desk: Desk) -> None:
    task = desk.labeling.create(ME, desk.draft(size=2))
    for _item, example in desk.labeling.items(task.id):
        desk.change(example.id, messages=[])
    with pytest.raises(InvalidInput, match="2 × it has no messages"):
        desk.publish(task)
    assert desk.platform.items == {}


def test_spans_are_not_asked_for_on_an_empty_answer(desk: Desk) -> None:
    task = desk.labeling.create(ME, desk.draft(size=2, template="spans", options={"labels": ["name"]}))
    with desk.labeling.database.write() as session:
        for item, _example in desk.labeling.items(task.id)[:1]:
            item.shown_output = " "
            session.add(item)
    assert [each.reason for each in skipped_items(desk.publish(task))] == [
        "its answer is empty, so there is nothing to mark"
    ]


def test_a_suggestion_carries_the_model_that_answered_and_how_sure_it_was(desk: Desk) -> None:
    task = desk.labeling.create(ME, desk.draft(size=3))
    (sure, first), (corrected, second), (plain, _third) = desk.labeling.items(task.id)
    with desk.labeling.database.write() as session:
        entry = LogEntry(project_id=desk.project.id, model="alias", served_model="gpt-9")
        session.add(entry)
        session.flush()
        row = session.get_one(Example, first.id)
        row.log_entry_id, row.tags = entry.id, {"confidence": 0.7}
    desk.change(second.id, original_output="something else", output_source="correction")
    task = desk.publish(task)
    items = desk.platform.items[task.backend_ref]
    assert (items[sure.id].suggested_by, items[sure.id].scores) == ("gpt-9", {"output": 0.7})
    assert (items[corrected.id].suggested_by, items[corrected.id].scores) == ("correction", {})
    assert items[plain.id].suggested_by == "model"
    assert items[sure.id].facts["model"] == "gpt-9" and items[sure.id].facts["split"] == "golden"


def test_a_task_that_is_sent_again_asks_only_for_what_is_missing(desk: Desk) -> None:
    task = desk.send(size=3)
    done, half, _none = desk.ids(task)
    for who in ("mia", "noah"):
        desk.say(task, who, done, "correct")
    desk.say(task, "mia", half, "correct")
    desk.labeling.sync(task.id)
    desk.platform.items.clear()
    desk.labeling.send_again(ME, task.id)
    task = desk.publish(task)
    assert set(desk.platform.items[task.backend_ref]) == set(desk.ids(task)) - {done}
    assert desk.labeling.progress(task.id).complete == 1


def test_answers_to_an_item_that_cannot_be_sent_again_are_kept(desk: Desk) -> None:
    task = desk.send(size=2)
    first, second = desk.ids(task)
    desk.say(task, "mia", first, "correct")
    desk.labeling.sync(task.id)
    desk.change(desk.example(task, first).id, messages=[])
    desk.platform.items.clear()
    desk.labeling.send_again(ME, task.id)
    task = desk.publish(task)
    assert [each.item_id for each in skipped_items(task)] == [first]
    assert desk.ids(task) == [first, second] and (first, "mia") in annotations(desk, task)


def test_questions_of_an_older_release_are_read_without_ratings(desk: Desk) -> None:
    task = desk.send()
    task.spec = {"questions": [{name: value for name, value in task.spec["questions"][0].items() if name != "ratings"}]}
    assert questions_of(task)[0].ratings == (1, 2, 3, 4, 5)


def test_time_per_answer_is_the_gap_to_the_same_persons_answer_before(desk: Desk) -> None:
    task, start = desk.send(), now()
    first, second, third, fourth = desk.ids(task)
    answered(desk, task, "mia", first, start)
    answered(desk, task, "mia", second, start + timedelta(seconds=40))
    answered(desk, task, "noah", first, start + timedelta(seconds=50))
    desk.labeling.sync(task.id)
    answered(desk, task, "mia", third, start + timedelta(seconds=60))
    answered(desk, task, "mia", fourth, start + timedelta(seconds=60 + 601))
    desk.labeling.sync(task.id)
    found = {key: row.seconds for key, row in annotations(desk, task).items()}
    assert found == {
        (first, "mia"): None,
        (second, "mia"): 40,
        (third, "mia"): 20,
        (fourth, "mia"): None,
        (first, "noah"): None,
    }


def test_a_later_change_keeps_the_time_of_the_first_submission_and_a_draft_has_none(desk: Desk) -> None:
    task, start = desk.send(), now()
    first, second, third, _fourth = desk.ids(task)
    answered(desk, task, "mia", first, start)
    answered(desk, task, "mia", second, start + timedelta(seconds=30))
    desk.say(task, "mia", third, "wrong", "x", status="draft")
    desk.labeling.sync(task.id)
    answered(desk, task, "mia", second, start + timedelta(seconds=300), rating=2)
    assert desk.labeling.sync(task.id).changed == 1
    found = annotations(desk, task)
    assert found[second, "mia"].seconds == 30 and found[third, "mia"].seconds is None


def test_answers_that_vanish_and_people_without_a_name_lose_nothing(desk: Desk) -> None:
    task = desk.send()
    first, second, *_rest = desk.ids(task)
    desk.say(task, "mia", first, "correct")
    desk.labeling.sync(task.id)
    del desk.platform.given[task.backend_ref][first, "mia"]
    desk.say(task, "", second, "correct")
    desk.say(task, "noah", second, "correct")
    done = desk.labeling.sync(task.id)
    assert (done.new, done.changed) == (1, 0)
    assert set(annotations(desk, task)) == {(first, "mia"), (second, "noah")}


def test_an_answer_carries_the_guidelines_it_was_given_under(desk: Desk) -> None:
    task = desk.send()
    first, second, *_rest = desk.ids(task)
    before = now()
    desk.labeling.set_guidelines(ME, task.id, "Be stricter.")
    answered(desk, task, "mia", first, before)
    answered(desk, task, "mia", second, now() + timedelta(seconds=1))
    desk.labeling.sync(task.id)
    found = annotations(desk, task)
    assert (found[first, "mia"].guideline_version, found[second, "mia"].guideline_version) == (1, 2)


def test_ratings_of_peoples_own_questions_say_nothing_about_quality(desk: Desk) -> None:
    rated = desk.send(template="rating", size=2)
    desk.send(template="custom", size=2, options={"questions": [{"title": "How hard is it?", "kind": "rating"}]})
    with desk.labeling.database.read() as session:
        assert set(DecisionRepository(session).questions(desk.dataset.id)) == {rated.id}
