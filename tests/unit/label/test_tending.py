"""After a task was sent: pause, go on, close, deadline, guidelines, lost on the platform, shares, the sending job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from storage.artifacts import Artifacts
from storage.repositories.labels import AnnotationRepository
from storage.types import now
from studio.access.actor import Actor, Role
from studio.access.teams import Teams
from studio.errors import Conflict, InvalidInput, NotAllowed, NotFound
from studio.jobs.context import JobCancelled, JobContext
from studio.label import catalog
from studio.label.guidelines import add_version
from studio.label.jobs import Speed, publish
from studio.label.publishing import found_task
from studio.settings import Settings
from tests.unit.label.conftest import Desk

ME = Actor.operator()


def test_a_paused_task_collects_once_more_and_then_waits(desk: Desk) -> None:
    task = desk.send()
    first, second, *_others = desk.ids(task)
    desk.say(task, "mia", first, "correct")
    assert desk.labeling.pause(ME, task.id).state == "paused"
    assert "paused" in desk.platform.guidelines[task.backend_ref]
    desk.say(task, "mia", second, "correct")
    assert desk.labeling.sync_open() == 0
    assert desk.labeling.reopen(ME, task.id).state == "open"
    assert "paused" not in desk.platform.guidelines[task.backend_ref]
    assert desk.labeling.sync_open() == 1 and desk.labeling.progress(task.id).per_person["mia"].submitted == 2


def test_a_closed_task_can_be_reopened(desk: Desk) -> None:
    task = desk.send()
    desk.labeling.close(ME, task.id)
    reopened = desk.labeling.reopen(ME, task.id)
    assert (reopened.state, reopened.closed_at) == ("open", None)
    with pytest.raises(Conflict, match="open already"):
        desk.labeling.reopen(ME, task.id)
    desk.labeling.pause(ME, task.id)
    with pytest.raises(Conflict, match="Only an open task"):
        desk.labeling.pause(ME, task.id)


def test_the_deadline_is_shown_to_people_and_to_editors(desk: Desk) -> None:
    task = desk.send(deadline=now() + timedelta(days=2))
    assert "Please answer until" in desk.platform.specs[task.backend_ref].guidelines
    assert not desk.labeling.progress(task.id).overdue
    desk.labeling.set_deadline(ME, task.id, now() - timedelta(hours=1))
    assert desk.labeling.progress(task.id).overdue
    desk.labeling.set_deadline(ME, task.id, None)
    assert not desk.labeling.progress(task.id).overdue
    assert "Please answer" not in desk.platform.guidelines[task.backend_ref]


def test_new_guidelines_are_a_version_that_people_see_and_answers_carry(desk: Desk) -> None:
    task = desk.send(guidelines="Be strict.")
    first, second, *_others = desk.ids(task)
    desk.say(task, "mia", first, "correct")
    desk.labeling.sync(task.id)
    assert [each.text for each in desk.labeling.guideline_versions(task.id)] == ["Be strict."]
    version = desk.labeling.set_guidelines(ME, task.id, "Be very strict.")
    assert (version.version, version.changed_by) == (2, "operator")
    assert desk.platform.guidelines[task.backend_ref] == "Be very strict."
    desk.say(task, "mia", second, "correct")
    desk.labeling.sync(task.id)
    with desk.labeling.database.read() as session:
        carried = {row.item_id: row.guideline_version for row in AnnotationRepository(session).of_task(task.id)}
    assert carried == {first: 1, second: 2}
    assert [each.version for each in desk.labeling.guideline_versions(task.id)] == [2, 1]
    with pytest.raises(InvalidInput, match="empty"):
        desk.labeling.set_guidelines(ME, task.id, "  ")


def test_guidelines_that_changed_elsewhere_reach_people_with_the_next_look(desk: Desk) -> None:
    task = desk.send()
    with desk.labeling.database.write() as session:
        add_version(session, found_task(session, task.id), "Decided in review: totals include tax.", "rita")
    assert task.backend_ref not in desk.platform.guidelines
    desk.labeling.sync_open()
    assert "totals include tax" in desk.platform.guidelines[task.backend_ref]


def test_a_task_deleted_on_the_platform_says_so_and_keeps_its_answers(desk: Desk) -> None:
    task = desk.send(size=4)
    first, second, *others = desk.ids(task)
    for who in ("mia", "noah"):
        desk.say(task, who, first, "correct")
    desk.say(task, "mia", second, "correct")
    desk.labeling.sync(task.id)
    del desk.platform.items[task.backend_ref]
    with pytest.raises(NotFound, match="The 3 answers collected so far are safe"):
        desk.labeling.sync(task.id)
    progress = desk.labeling.progress(task.id)
    assert "no longer has this task" in progress.trouble and desk.labeling.get(task.id).state == "open"

    job = desk.labeling.send_again(ME, task.id)
    assert job.kind == "publish" and "3 examples" in job.title and desk.labeling.get(task.id).state == "publishing"
    again = desk.publish(desk.labeling.get(task.id))
    assert (again.state, desk.labeling.progress(task.id).trouble) == ("open", "")
    assert set(desk.platform.items[again.backend_ref]) == {second, *others}, "what has its answers is not asked again"
    desk.say(again, "noah", second, "correct")
    desk.labeling.sync(task.id)
    progress = desk.labeling.progress(task.id)
    assert (progress.complete, progress.per_person["mia"].submitted, progress.per_person["noah"].submitted) == (2, 2, 2)


def test_a_task_that_is_there_after_all_is_in_no_trouble(desk: Desk) -> None:
    task = desk.send()
    items = desk.platform.items.pop(task.backend_ref)
    desk.labeling.sync_open()
    assert desk.labeling.progress(task.id).trouble
    desk.platform.items[task.backend_ref] = items
    desk.labeling.sync_open()
    assert not desk.labeling.progress(task.id).trouble


def test_a_lost_task_can_be_closed_with_what_we_have(desk: Desk) -> None:
    task = desk.send()
    del desk.platform.items[task.backend_ref]
    desk.labeling.sync_open()
    assert desk.labeling.close(ME, task.id).state == "closed"


def test_a_split_task_asks_each_person_for_their_share(desk: Desk) -> None:
    task = desk.send(size=12, answers_per_item=1, assignment="split", shares={"mia": 2}, sample="random")
    asked = Counter(name for item, _example in desk.labeling.items(task.id) for name in item.asked)
    assert asked == {"mia": 8, "noah": 4} and task.assignment["assigned"] == asked
    sent = desk.platform.items[task.backend_ref]
    assert all(sent[item.id].asked == tuple(item.asked) for item, _example in desk.labeling.items(task.id))
    progress = desk.labeling.progress(task.id)
    assert {name: done.assigned for name, done in progress.per_person.items()} == {"mia": 8, "noah": 4}


def test_anybody_may_take_any_item_unless_it_is_split(desk: Desk) -> None:
    task = desk.send(size=4)
    assert all(item.asked == [] for item, _example in desk.labeling.items(task.id))
    assert desk.labeling.progress(task.id).per_person["mia"].assigned == 4


def test_a_team_stands_for_its_people(desk: Desk) -> None:
    Teams(desk.labeling.database).save(ME, "support", ["otto", "noah"])
    assert desk.send(people=("mia",), teams=("support",)).assignees == ["mia", "otto", "noah"]
    with pytest.raises(InvalidInput, match="no team called sales"):
        desk.send(teams=("sales",))


def test_comparisons_are_always_split_and_need_two_different_answers(desk: Desk) -> None:
    with pytest.raises(InvalidInput, match="Evaluate a second model"):
        desk.send(template="compare")
    for item in desk.labeling.preview(desk.draft(size=3)).items:
        desk.change(item.example.id, output="another answer")
    task = desk.send(template="compare", size=12)
    items = [item for item, _example in desk.labeling.items(task.id)]
    assert len(items) == 3 and all(sorted(item.asked) == ["mia", "noah"] for item in items)
    assert all([each["name"] for each in item.candidates] == ["a", "b"] for item in items)


def test_how_well_people_agree_is_kept_with_the_dataset(desk: Desk) -> None:
    task = desk.send(size=4)
    for at, item in enumerate(desk.ids(task)):
        desk.say(task, "mia", item, "correct")
        desk.say(task, "noah", item, "correct" if at else "wrong", "x" if not at else "")
    desk.labeling.sync(task.id)
    desk.labeling.apply(ME, task.id)
    desk.labeling.close(ME, task.id)
    kept = {each.question: each for each in desk.labeling.ceilings(desk.dataset.id)}
    assert kept["verdict"].percent == 75 and kept["verdict"].n == 4 and kept["verdict"].task_id == task.id
    assert len(desk.labeling.ceilings(desk.dataset.id)) == len(kept), "closing replaced what applying had kept"


def test_each_verb_asks_for_an_editor(desk: Desk, sign_in: Callable[[Role], Actor]) -> None:
    task, labeler = desk.send(), sign_in(Role.LABELER)
    refused: list[Callable[[], object]] = [
        lambda: desk.labeling.pause(labeler, task.id),
        lambda: desk.labeling.reopen(labeler, task.id),
        lambda: desk.labeling.set_deadline(labeler, task.id, None),
        lambda: desk.labeling.set_guidelines(labeler, task.id, "x"),
        lambda: desk.labeling.quality(labeler, task.id),
        lambda: desk.labeling.send_again(labeler, task.id),
        lambda: Teams(desk.labeling.database).save(labeler, "support", ["mia"]),
    ]
    for verb in refused:
        with pytest.raises(NotAllowed):
            verb()
    assert desk.labeling.get(task.id).state == "open" and desk.labeling.get(task.id).guideline_version == 1


def test_the_sending_job_tells_its_speed_and_goes_on_after_a_cancel(
    desk: Desk, settings: Settings, artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "BACKENDS", {"argilla": f"{__name__}:here"})
    monkeypatch.setitem(HERE, "platform", desk.platform)
    task, said = desk.labeling.create(ME, desk.draft(size=6)), list[str]()
    context = JobContext("j", 1, "publish", {"task_id": task.id}, tmp_path, settings, desk.labeling.database, artifacts)
    context.on_report = lambda _progress, text: said.append(text)
    context.stop_asked = lambda: len(said) > 3
    with pytest.raises(JobCancelled):
        publish(context)
    assert desk.labeling.get(task.id).state == "publishing" and 0 < len(next(iter(desk.platform.items.values()))) < 6
    context.stop_asked = lambda: False
    assert publish(context)["ref"] == desk.labeling.get(task.id).backend_ref
    assert (
        desk.labeling.get(task.id).state == "open"
        and len(desk.platform.items[desk.labeling.get(task.id).backend_ref]) == 6
    )


def test_speed_leaves_out_what_an_earlier_attempt_sent() -> None:
    moments = iter([0.0, 2.0, 4.0])
    speed = Speed(lambda: next(moments))
    assert [speed.after(sent) for sent in (5000, 5300, 5900)] == ["", ", 150 per second", ", 225 per second"]


HERE: dict[str, object] = {}


def here(_settings: Settings) -> object:
    """The platform of the present test, as the catalog finds one."""
    return HERE["platform"]
