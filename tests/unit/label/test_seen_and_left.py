"""What an editor is shown before sending is what is sent, and what is left for a person is what waits for them."""

from __future__ import annotations

import json

import pytest

from storage.tables import Example
from studio.access.actor import Actor, Role
from studio.errors import NotAllowed
from studio.label.seen import item_seen, questions_seen
from studio.label.values import label_values
from tests.unit.label.conftest import Desk

OPERATOR = Actor.operator()


@pytest.mark.parametrize(
    ("template", "options"), [("verdict", {}), ("rating", {"criteria": ["Polite"]}), ("spans", {"labels": ["PII"]})]
)
def test_the_preview_is_what_is_sent(desk: Desk, template: str, options: dict[str, object]) -> None:
    draft = desk.draft(template=template, options=options)
    preview = desk.labeling.preview(draft)
    task = desk.publish(desk.labeling.create(OPERATOR, draft))
    [spec], [sent] = desk.platform.specs.values(), desk.platform.items.values()
    assert questions_seen(draft) == spec.questions
    by_text = {item.messages[-1]["content"]: item for item in sent.values()}
    assert len(by_text) == len(preview.items) == len(desk.ids(task))
    for row in preview.items:
        seen = item_seen(draft, row, "mia")
        there = by_text[seen.messages[-1]["content"]]
        assert (seen.messages, seen.answer, seen.suggestions) == (there.messages, there.answer, there.suggestions)


def test_what_anybody_may_take_is_left_until_it_has_enough_answers(desk: Desk) -> None:
    task = desk.send(size=4, answers_per_item=1, people=("mia", "noah"))
    first, second, third, _fourth = desk.ids(task)
    desk.say(task, "noah", first, "correct")
    desk.say(task, "mia", second, "correct")
    desk.say(task, "mia", third, "correct", status="draft")
    desk.labeling.sync(task.id)
    assert desk.labeling.left(task.id, "mia") == 2, "a draft is still to be submitted"
    assert desk.labeling.left(task.id, "otto") == 0, "otto is not asked"


def test_what_is_assigned_is_left_until_its_person_has_done_it(desk: Desk) -> None:
    task = desk.send(size=4, answers_per_item=1, people=("mia", "noah"), assignment="split")
    own = {item.id for item, _example in desk.labeling.items(task.id) if "mia" in item.asked}
    assert desk.labeling.left(task.id, "mia") == len(own) == 2
    one, other = sorted(own)
    desk.say(task, "mia", one, "correct")
    desk.say(task, "mia", other, "correct", status="discarded")
    desk.labeling.sync(task.id)
    assert desk.labeling.left(task.id, "mia") == 0


def test_a_labeler_enters_the_tasks_that_ask_them_and_no_others(desk: Desk) -> None:
    task = desk.send(people=("mia", "noah"))
    assert "as=mia" in desk.labeling.enter_url(Actor("mia", Role.LABELER), task.id)
    assert "as=otto" in desk.labeling.enter_url(Actor("otto", Role.EDITOR), task.id)
    with pytest.raises(NotAllowed, match="not asked in this task"):
        desk.labeling.enter_url(Actor("otto", Role.LABELER), task.id)


def outputs(*texts: str) -> list[Example]:
    return [Example(dataset_id="d", output=text, prompt_hash="") for text in texts]


def test_labels_are_read_from_answers_that_are_labels() -> None:
    assert label_values(outputs("spam", "ham", "spam", "ham", "spam")) == {"": ["spam", "ham"]}


def test_labels_are_read_from_the_fields_of_json_answers() -> None:
    rows = [json.dumps({"kind": kind, "urgent": kind == "a", "n": at}) for at, kind in enumerate("aabb")]
    assert label_values(outputs(*rows)) == {"kind": ["a", "b"], "urgent": ["true", "false"]}


def test_texts_are_no_labels() -> None:
    assert label_values(outputs("Dear Sir,", "Hello Ms Smith,", "We are sorry.", "Thanks!")) == {}
    assert label_values([]) == {}
