"""Sending, watching and collecting, on the platform in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from studio.access.actor import Actor, Role
from studio.errors import Conflict, InvalidInput, NotAllowed, NotFound
from tests.unit.label.conftest import Desk

ME = Actor.operator()


def test_a_task_is_queued_sent_and_opened(desk: Desk) -> None:
    task = desk.labeling.create(ME, desk.draft(size=4))
    [job] = desk.labeling.jobs.active(desk.project.id)
    assert (task.state, job.kind, job.spec) == ("publishing", "publish", {"task_id": task.id})
    assert job.title == "Send 4 examples to 2 teammates"
    task = desk.publish(task)
    assert task.state == "open" and set(desk.platform.items[task.backend_ref]) == set(desk.ids(task))
    assert all(item.backend_ref for item, _example in desk.labeling.items(task.id))
    assert [each.split for _item, each in desk.labeling.items(task.id)] == ["golden"] * 4


def test_the_platform_is_told_who_what_and_how_often(desk: Desk) -> None:
    task = desk.send(answers_per_item=2, guidelines="Be strict.")
    spec = desk.platform.specs[task.backend_ref]
    assert [each.username for each in spec.people] == ["mia", "noah"] and not any(each.is_admin for each in spec.people)
    assert (spec.answers_per_item, spec.guidelines) == (2, "Be strict.")
    assert [each.name for each in spec.questions] == ["verdict", "output", "reasons", "rating"]
    item = desk.platform.items[task.backend_ref][desk.ids(task)[0]]
    assert item.suggestions == {"output": item.answer} and item.messages[0]["role"] == "user"


def test_an_interrupted_sending_goes_on_where_it_stopped(desk: Desk) -> None:
    task = desk.labeling.create(ME, desk.draft(size=6))
    desk.platform.breaks_after = 3
    with pytest.raises(ConnectionError):
        desk.publish(task)
    assert desk.labeling.get(task.id).state == "publishing"
    desk.platform.breaks_after = None
    assert desk.publish(task).state == "open"
    assert len(desk.platform.items) == 1 and len(desk.platform.items[desk.labeling.get(task.id).backend_ref]) == 6


def test_examples_out_with_people_are_not_sent_again_until_the_task_is_closed(desk: Desk) -> None:
    first = desk.send(size=6)
    second = desk.send(size=6)
    sent = {item.example_id for task in (first, second) for item, _example in desk.labeling.items(task.id)}
    assert len(sent) == 12
    with pytest.raises(InvalidInput, match="No example is left"):
        desk.send()
    desk.labeling.close(ME, first.id)
    assert desk.labeling.preview(desk.draft(size=60)).total == 6


def test_the_preview_is_what_would_be_sent(desk: Desk) -> None:
    preview = {each.example.id for each in desk.labeling.preview(desk.draft(size=4)).items}
    task = desk.send(size=4)
    assert preview == {item.example_id for item, _example in desk.labeling.items(task.id)} and len(preview) == 4


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"size": 0}, "between 1"),
        ({"answers_per_item": 0}, "answers per example"),
        ({"answers_per_item": 3}, "at least 3 people"),
        ({"people": ("vera", "mia")}, "vera"),
        ({"people": ("nobody", "mia")}, "nobody"),
        ({"template": "essay"}, "verdict"),
        ({"template": "pick_label", "options": {"labels": ("one",)}}, "two labels"),
        ({"sample": "best"}, "golden_first"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(desk: Desk, choices: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        desk.send(**choices)
    assert desk.labeling.all(desk.project.id) == [] and desk.labeling.jobs.active(desk.project.id) == []


def test_without_a_choice_everybody_who_may_label_is_asked(desk: Desk) -> None:
    assert desk.send(people=()).assignees == ["mia", "noah", "otto"]


def test_tasks_are_listed_by_project_and_by_dataset(desk: Desk) -> None:
    task = desk.send()
    for owner in (desk.project.id, desk.dataset.id):
        assert [each.id for each in desk.labeling.all(owner)] == [task.id]
    with pytest.raises(NotFound):
        desk.labeling.get("no-such-task")


def test_collecting_keeps_drafts_and_discards_apart_and_repeats_nothing(desk: Desk) -> None:
    task = desk.send()
    first, second, third, _fourth = desk.ids(task)
    desk.say(task, "mia", first, "correct")
    desk.say(task, "noah", first, "correct")
    desk.say(task, "mia", second, "wrong", "x", status="draft")
    desk.say(task, "noah", third, "correct", status="discarded")
    assert desk.labeling.sync(task.id).new == 4
    again = desk.labeling.sync(task.id)
    assert (again.new, again.changed) == (0, 0)
    progress = desk.labeling.progress(task.id)
    mia, noah = progress.per_person["mia"], progress.per_person["noah"]
    assert (progress.items, progress.complete) == (4, 1)
    assert (mia.submitted, mia.drafts, mia.discarded, noah.submitted, noah.discarded) == (1, 1, 0, 1, 1)


def test_a_changed_answer_replaces_the_old_one(desk: Desk) -> None:
    task = desk.send()
    desk.say(task, "mia", desk.ids(task)[0], "wrong", "x", status="draft")
    desk.labeling.sync(task.id)
    desk.say(task, "mia", desk.ids(task)[0], "correct")
    done = desk.labeling.sync(task.id)
    assert (done.new, done.changed) == (0, 1)
    assert desk.labeling.progress(task.id).per_person["mia"].submitted == 1


def test_answers_to_items_that_are_not_ours_are_passed_over(desk: Desk) -> None:
    task = desk.send()
    desk.say(task, "mia", "somebody-elses-record", "correct")
    assert desk.labeling.sync(task.id).new == 0


def test_open_tasks_are_looked_at_again_and_again_closed_ones_not(desk: Desk) -> None:
    task, other = desk.send(), desk.send()
    desk.labeling.close(ME, other.id)
    desk.say(task, "mia", desk.ids(task)[0], "correct")
    desk.say(other, "mia", desk.ids(other)[0], "correct")
    assert desk.labeling.sync_open() == 1
    assert desk.labeling.sync_open() == 0
    assert desk.labeling.progress(other.id).per_person["mia"].submitted == 0


def test_a_task_deleted_on_the_platform_does_not_stop_the_others(desk: Desk) -> None:
    gone, task = desk.send(), desk.send()
    del desk.platform.items[gone.backend_ref]
    desk.say(task, "mia", desk.ids(task)[0], "correct")
    assert desk.labeling.sync_open() == 1


def test_closing_collects_a_last_time(desk: Desk) -> None:
    task = desk.send()
    desk.say(task, "mia", desk.ids(task)[0], "correct")
    closed = desk.labeling.close(ME, task.id)
    assert closed.state == "closed" and closed.closed_at and "closed" in desk.platform.guidelines[task.backend_ref]
    assert desk.labeling.progress(task.id).per_person["mia"].submitted == 1


def test_a_person_enters_once_the_examples_are_there(desk: Desk, sign_in: Callable[[Role], Actor]) -> None:
    labeler = sign_in(Role.LABELER)
    task = desk.labeling.create(ME, desk.draft(people=("mia", labeler.username)))
    with pytest.raises(Conflict, match="still being sent"):
        desk.labeling.enter_url(labeler, task.id)
    desk.publish(task)
    assert labeler.username in desk.labeling.enter_url(labeler, task.id)


def test_each_verb_asks_for_its_role(desk: Desk, sign_in: Callable[[Role], Actor]) -> None:
    task, viewer, labeler = desk.send(), sign_in(Role.VIEWER), sign_in(Role.LABELER)
    item = desk.ids(task)[0]
    refused: list[Callable[[], object]] = [
        lambda: desk.labeling.enter_url(viewer, task.id),
        lambda: desk.labeling.create(labeler, desk.draft()),
        lambda: desk.labeling.apply(labeler, task.id),
        lambda: desk.labeling.decide(labeler, item, "x"),
        lambda: desk.labeling.leave_out(labeler, item),
        lambda: desk.labeling.close(labeler, task.id),
    ]
    for verb in refused:
        with pytest.raises(NotAllowed):
            verb()
    assert desk.labeling.get(task.id).state == "open" and task.backend_ref not in desk.platform.guidelines


def test_tool_calls_and_parts_are_shown_as_text(desk: Desk) -> None:
    first = desk.labeling.preview(desk.draft(size=60)).items[0].example
    call = {"function": {"name": "look_up", "arguments": '{"id": 7}'}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "see this"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": ""},
    ]
    desk.change(first.id, messages=messages)
    task = desk.send(size=12)
    item = next(item.id for item, example in desk.labeling.items(task.id) if example.id == first.id)
    shown = desk.platform.items[task.backend_ref][item].messages
    assert [each["content"] for each in shown] == ["see this", 'look_up({"id": 7})', "(empty)"]
