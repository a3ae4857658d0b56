"""The Review page as each role sees it: sessions, starting one with its agenda, the minutes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from storage.tables import Dataset, Project, ReviewSession
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio
from tests.fakes.disputes import HOSTILE, answer, disputed_task
from tests.unit.ui.conftest import Browser, texts

OPERATOR = Actor.operator()
Open = Callable[[Role], Browser]


@pytest.fixture
def project(studio: Studio) -> Project:
    for name in ("mia", "noah"):
        studio.people.invite(OPERATOR, name, Role.LABELER)
    return studio.projects.create(OPERATOR, "support")


@pytest.fixture
def dataset(studio: Studio, project: Project) -> Dataset:
    made = studio.datasets.create(OPERATOR, project.id, "tickets")
    disputed_task(studio.database, made.id, ("mia", "noah"), 6)
    return made


def started(studio: Studio, dataset: Dataset, chair: str = "editor-person") -> ReviewSession:
    source = {"kind": "disputes"}
    return studio.reviews.start(Actor.operator(chair), dataset.id, f"Thursday {HOSTILE}", source)


def press(app: AppTest, label: str) -> AppTest:
    [button] = [each for each in app.button if each.label == label]
    return button.click().run()


def labels(app: AppTest) -> set[str]:
    return {each.label for each in app.button}


def test_with_nothing_to_decide_the_page_says_where_disputes_come_from(browser_of: Open, project: Project) -> None:
    app = browser_of(Role.EDITOR).open("review")
    assert "Nothing is disputed" in texts(app) and "Open Label" in labels(app)


def test_the_second_click_would_start_a_session_alone_on_the_agenda_shown(browser_of: Open, dataset: Dataset) -> None:
    app = browser_of(Role.EDITOR).open("review")
    assert "There is something to decide" in texts(app)
    app = press(app, "Start session")
    assert "Agenda: 6 examples" in texts(app)
    [agenda] = [table.value for table in app.dataframe]
    assert agenda["Why"].str.len().min() > 0 and agenda["Answers"].tolist() == [2] * 6
    assert app.radio(key="review_source").value == "disputes" and app.multiselect(key="review_people").value == []
    assert not app.button(key="start_now").disabled


def test_a_session_of_one_task_is_offered_where_the_label_page_links_to_it(
    browser_of: Open, studio: Studio, project: Project, dataset: Dataset
) -> None:
    [task] = studio.labeling.all(project.id)
    app = browser_of(Role.EDITOR).open("review", task=task.id)
    assert app.radio(key="review_source").value == "task" and app.selectbox(key="review_task").value.id == task.id


def test_nothing_worth_deciding_starts_nothing(browser_of: Open, studio: Studio, project: Project) -> None:
    studio.datasets.create(OPERATOR, project.id, "tickets")
    app = press(browser_of(Role.EDITOR).open("review"), "Start session")
    assert "Nothing here is worth deciding now" in texts(app)
    assert app.button(key="start_now").disabled


def test_sessions_show_who_when_and_how_far_and_titles_are_plain_text(
    browser_of: Open, studio: Studio, dataset: Dataset
) -> None:
    made = started(studio, dataset)
    line = studio.reviews.room(OPERATOR, made.id).lines[0]
    chair = Actor.operator("editor-person")
    studio.reviews.reveal(chair, line.item_id)
    studio.reviews.decide(chair, line.item_id, line.revision + 1, "left_out")
    app = browser_of(Role.EDITOR).open("review")
    assert "editor\\-person has the chair, alone, started just now" in texts(app)
    assert "**bold**" not in texts(app), "a title is not Markdown"


def test_a_labeler_joins_but_starts_nothing_and_a_viewer_only_reads(
    browser_of: Open, studio: Studio, dataset: Dataset
) -> None:
    made = started(studio, dataset, "rita")
    app = browser_of(Role.LABELER).open("review", session=made.id)
    assert not app.error and "rita has the chair" in texts(app)
    assert not {"Start session", "End session", "Take the chair"} & labels(app)
    assert [person for person, _at in studio.reviews.room(OPERATOR, made.id).present] == ["labeler-person"]
    app = browser_of(Role.VIEWER).open("review", session=made.id)
    assert "You are a viewer" in texts(app)


def test_another_editor_takes_the_chair_and_is_told_what_ending_leaves_undecided(
    browser_of: Open, studio: Studio, dataset: Dataset
) -> None:
    made = started(studio, dataset, "rita")
    app = press(browser_of(Role.EDITOR).open("review", session=made.id), "Take the chair")
    assert studio.reviews.get(made.id).chair == "editor-person"
    app = press(app.run(), "End session")
    assert "6 of 6 examples are not decided" in texts(app)


def test_minutes_are_on_screen_and_to_download(browser_of: Open, studio: Studio, dataset: Dataset) -> None:
    chair = Actor.operator("rita")
    made = started(studio, dataset, "rita")
    line = studio.reviews.room(chair, made.id).lines[0]
    studio.reviews.reveal(chair, line.item_id)
    given = {"output": answer("fraud"), "keep": "golden", "rule": "A stolen card is fraud", "note": "all agreed"}
    studio.reviews.decide(chair, line.item_id, line.revision + 1, "corrected", **given)
    studio.reviews.close(chair, made.id)
    app = browser_of(Role.VIEWER).open("review", session=made.id)
    said = texts(app)
    assert "1 of 6 decided" in said and "A stolen card is fraud" in said and "not measured" not in said
    assert [(metric.label, metric.value) for metric in app.metric][1] == ("To golden", "1")
    [golden] = [table.value for table in app.dataframe if "Answer" in table.value]
    assert golden["Answer"].tolist() == [answer("fraud")] and "all agreed" in golden["Note"][0]


def test_an_unknown_session_is_said_in_a_sentence(browser_of: Open, project: Project) -> None:
    app = browser_of(Role.EDITOR).open("review", session="gone")
    assert "There is no such review session" in app.error[0].value


def test_a_link_to_a_session_opens_its_project(browser_of: Open, studio: Studio, dataset: Dataset) -> None:
    studio.projects.create(OPERATOR, "a project that comes first")
    made = started(studio, dataset)
    app = browser_of(Role.EDITOR).open("review", session=made.id)
    assert app.session_state["project"] == "support" and "has the chair" in texts(app)
    back = app.button(key="all_sessions").click().run()
    assert not back.exception and "session" not in back.query_params
    assert back.session_state["project"] == "support"
