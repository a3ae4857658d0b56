"""Label and Review with something in them: what they say, and what their buttons do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from storage.tables import Dataset, Example, LabelTask, Project
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio
from studio.label.draft import TaskDraft
from studio.label.publishing import publish_task
from tests.fakes.labeling import FakePlatform
from tests.unit.ui.conftest import Browser, texts

OPERATOR = Actor.operator()
HOSTILE = "![x](http://evil.example/x.png) <b>bold</b>"
FIX = '{"category": "returns"}'
Open = Callable[[Role], Browser]


@pytest.fixture
def platform(studio: Studio) -> FakePlatform:
    fake = FakePlatform()
    studio.labeling.backend = lambda: fake
    return fake


@pytest.fixture
def project(studio: Studio, platform: FakePlatform) -> Project:
    for name in ("mia", "noah"):
        studio.people.invite(OPERATOR, name, Role.LABELER)
    return studio.projects.create(OPERATOR, "support")


@pytest.fixture
def dataset(studio: Studio, project: Project) -> Dataset:
    made = studio.datasets.create(OPERATOR, project.id, "tickets")
    with studio.database.write() as session:
        for number in range(6):
            session.add(
                Example(
                    dataset_id=made.id,
                    messages=[{"role": "user", "content": f"ticket {number} {HOSTILE}"}],
                    output='{"category": "billing"}',
                    prompt_hash=f"{number:064d}",
                    split="golden",
                )
            )
    return made


@pytest.fixture
def task(studio: Studio, dataset: Dataset, platform: FakePlatform) -> LabelTask:
    """Open, with three items answered alike and one disputed."""
    made = studio.labeling.create(OPERATOR, TaskDraft(dataset.id, "Golden set", size=4, people=("mia", "noah")))
    task = publish_task(studio.database, platform, made.id, lambda _sent, _total: None)
    ids = [item.id for item, _example in studio.labeling.items(task.id)]
    right, wrong = {"verdict": "correct"}, {"verdict": "wrong", "output": FIX}
    platform.answer_as(task.backend_ref, "mia", dict.fromkeys(ids, right))
    platform.answer_as(task.backend_ref, "noah", {**dict.fromkeys(ids[:3], right), ids[3]: wrong})
    studio.labeling.sync(task.id)
    return task


def press(app: AppTest, label: str) -> AppTest:
    [button] = [each for each in app.button if each.label == label]
    return button.click().run()


def test_without_a_dataset_the_page_leads_to_curate(browser_of: Open, project: Project) -> None:
    said = texts(browser_of(Role.EDITOR).open("label"))
    assert "Nothing to label yet" in said


def test_sending_shows_a_real_row_first(browser_of: Open, dataset: Dataset) -> None:
    app = press(browser_of(Role.EDITOR).open("label"), "Send to teammates")
    assert "6 examples will be sent" in texts(app)
    assert any(HOSTILE in each.value for each in app.text), "captured text is plain text"
    assert app.multiselect[0].value == ["editor-person", "mia", "noah"]


def test_a_task_shows_progress_agreement_with_n_and_applies(
    browser_of: Open, studio: Studio, project: Project, task: LabelTask
) -> None:
    app = browser_of(Role.EDITOR).open("label")
    people, agreement = (table.value for table in app.dataframe)
    assert people["Submitted"].tolist() == [4, 4]
    assert agreement["Equal"].tolist()[0] == "75%" and agreement["n"].tolist()[0] == 4
    app = press(app, "Apply answers")
    assert "3 confirmed, 0 corrected, 1 disputed" in app.success[0].value
    assert studio.labeling.undecided(project.id) == 1


def test_a_labeler_sees_tasks_but_sends_and_decides_nothing(browser_of: Open, task: LabelTask) -> None:
    app = browser_of(Role.LABELER).open("label")
    assert "Golden set" in texts(app)
    assert not {each.label for each in app.button} & {"Send to teammates", "Apply answers", "Close task"}


def test_an_argilla_that_is_down_is_said_and_the_page_still_works(
    browser_of: Open, studio: Studio, task: LabelTask
) -> None:
    from studio.label.argilla_backend import ArgillaBackend

    studio.labeling.backend = lambda: ArgillaBackend("http://127.0.0.1:9", "key", "secret")
    app = browser_of(Role.EDITOR).open("label")
    assert "does not answer" in app.warning[0].value and "Golden set" in texts(app)
    app = press(app, "Apply answers")
    assert "does not answer" in app.error[0].value


def test_closing_a_task_stops_collecting(browser_of: Open, studio: Studio, task: LabelTask) -> None:
    press(browser_of(Role.EDITOR).open("label"), "Close task")
    assert studio.labeling.get(task.id).state == "closed"


def test_review_shows_both_answers_as_text_and_decides_with_one_press(
    browser_of: Open, studio: Studio, project: Project, task: LabelTask
) -> None:
    studio.labeling.apply(OPERATOR, task.id)
    app = browser_of(Role.EDITOR).open("review")
    assert [each.value for each in app.code] == ['{"category": "billing"}', FIX, '{"category": "billing"}']
    assert any(HOSTILE in each.value for each in app.text), "captured text is plain text"
    app = app.button(key="use_2").click().run()
    assert "Nothing is disputed" in texts(app)
    [example] = [each for each in studio.datasets.examples(task.dataset_id) if each.output == FIX]
    assert example.verified


def test_review_takes_a_written_answer_or_leaves_the_example_out(
    browser_of: Open, studio: Studio, project: Project, task: LabelTask
) -> None:
    studio.labeling.apply(OPERATOR, task.id)
    app = browser_of(Role.EDITOR).open("review")
    app.text_area[0].set_value('{"category": "other"}')
    press(app, "Save this answer")
    assert studio.labeling.undecided(project.id) == 0
    assert any(each.output == '{"category": "other"}' for each in studio.datasets.examples(task.dataset_id))


def test_skipping_comes_round_again_and_a_labeler_only_looks(
    browser_of: Open, studio: Studio, project: Project, task: LabelTask
) -> None:
    studio.labeling.apply(OPERATOR, task.id)
    app = browser_of(Role.LABELER).open("review")
    assert app.button(key="use_1").disabled and app.button(key="leave_out").disabled
    app = app.button(key="skip").click().run()
    assert "1 left to decide" in texts(app)
