"""Label and its settings with something in them: what they say, and what their buttons do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from storage.tables import Dataset, Example, LabelTask, Project
from storage.types import now
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio
from studio.label.backend import QuestionKind
from studio.label.draft import TaskDraft
from studio.label.publishing import publish_task
from studio.label.templates.custom import Custom
from studio.ui.label.ask import question_rows
from studio.ui.label.words import in_words, interval_in_words
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


SEND = "from studio.ui.label.send import send_form\nsend_form(current_studio().projects.all()[0])"
GUIDELINES = (
    "from studio.ui.label.guidelines import guidelines_form\n"
    "guidelines_form(current_studio().labeling.all(current_studio().projects.all()[0].id)[0])"
)
TEAM = "from studio.ui.settings.teams import team_form\nteam_form(next(iter(current_studio().teams.all()), None))"


def show(form: str) -> AppTest:
    """The body of a dialog on a page of its own: AppTest closes a dialog at its first rerun."""
    return AppTest.from_string(f"from studio.ui.state import current_studio\n{form}", default_timeout=30).run()


def send_form(browser_of: Open) -> AppTest:
    browser_of(Role.EDITOR)
    return show(SEND)


def press(app: AppTest, label: str) -> AppTest:
    [button] = [each for each in app.button if each.label == label]
    return button.click().run()


def test_without_a_dataset_the_page_leads_to_curate(browser_of: Open, project: Project) -> None:
    said = texts(browser_of(Role.EDITOR).open("label"))
    assert "Nothing to label yet" in said


# --- sending ------------------------------------------------------------


def test_sending_shows_a_real_row_first(browser_of: Open, dataset: Dataset) -> None:
    app = press(browser_of(Role.EDITOR).open("label"), "Send to teammates")
    assert "6 examples will be sent to 3 people, 2 answers each: 12 in all" in texts(app)
    assert any(HOSTILE in each.value for each in app.text), "captured text is plain text"
    assert app.multiselect(key="send_people").value == ["editor-person", "mia", "noah"]


def test_two_clicks_send_a_task_and_its_job_is_shown(browser_of: Open, studio: Studio, dataset: Dataset) -> None:
    browser = browser_of(Role.EDITOR)
    press(show(SEND), "Send")
    [task] = studio.labeling.all(dataset.project_id)
    assert (task.name, task.template, task.answers_per_item) == ("Golden set", "verdict", 2)
    assert task.assignees == ["editor-person", "mia", "noah"]
    app = browser.open("label")
    assert "Send 6 examples" in texts(app) and "Cancel" in {each.label for each in app.button}


def test_every_choice_reaches_the_task(browser_of: Open, studio: Studio, dataset: Dataset) -> None:
    studio.teams.save(OPERATOR, "Support", ["mia", "noah"])
    app = send_form(browser_of)
    app.text_input(key="send_name").set_value("Tone")
    app = app.button(key="ask_rating").click().run()
    app.multiselect(key="send_criteria").set_value(["Correct", "Polite"])
    app.number_input(key="send_size").set_value(2)
    app.radio(key="send_sample").set_value("random")
    app.multiselect(key="send_people").set_value(["mia", "noah"])
    app.radio(key="send_mode").set_value("split")
    app.date_input(key="send_deadline").set_value(date.today() + timedelta(days=3))
    app.text_area(key="send_guide_rating").set_value("Be kind.")
    app = app.run()
    press(app, "Send")
    [task] = studio.labeling.all(dataset.project_id)
    assert (task.name, task.template, task.guidelines, task.assignees) == (
        "Tone",
        "rating",
        "Be kind.",
        ["mia", "noah"],
    )
    assert [each["title"].split(" ")[0] for each in task.spec["questions"]] == ["Correct", "Polite"]
    assert task.assignment["mode"] == "split" and len(studio.labeling.items(task.id)) == 2
    assert task.deadline and 2 < (task.deadline - now()).total_seconds() / 86400 < 5


def test_a_team_is_asked_as_one(browser_of: Open, studio: Studio, dataset: Dataset) -> None:
    team = studio.teams.save(OPERATOR, "Support", ["mia", "noah"])
    app = send_form(browser_of)
    app = app.multiselect(key="send_teams").set_value([team]).run()
    assert app.multiselect(key="send_people").value == []
    press(app, "Send")
    [task] = studio.labeling.all(dataset.project_id)
    assert task.assignees == ["mia", "noah"]


def test_labels_come_from_the_datas_own_values(browser_of: Open, studio: Studio, dataset: Dataset) -> None:
    for example in studio.datasets.examples(dataset.id)[:2]:
        studio.datasets.set_output(OPERATOR, example.id, FIX, verified=False)
    app = send_form(browser_of)
    app = app.button(key="ask_pick_label").click().run()
    assert app.multiselect(key=f"send_labels_{dataset.id}_category").value == ["billing", "returns"]
    press(app, "Send")
    [task] = studio.labeling.all(dataset.project_id)
    assert task.spec["options"]["field"] == "category"


def test_what_cannot_be_sent_is_said_where_the_preview_would_be(
    browser_of: Open, studio: Studio, dataset: Dataset
) -> None:
    app = send_form(browser_of)
    app = app.button(key="ask_pick_label").click().run()
    assert "at least two labels" in app.error[0].value
    app.button(key="ask_verdict").click()
    app.text_input(key="send_name").set_value(" ")
    app = app.run()
    assert "Give the task a name" in app.error[0].value and app.button(key="send_now").disabled


def test_the_rows_of_the_question_table_become_questions() -> None:
    rows = [
        {"Question": "Is it polite?", "Kind": "One of several labels", "Choices": "yes, no, yes,", "Required": True},
        {"Question": " ", "Kind": "Text", "Choices": "", "Required": True},
        {"Question": "Why?", "Kind": "Text", "Choices": None, "Required": False, "Help": "In a sentence."},
    ]
    first, second = Custom().questions({"questions": question_rows(rows)})
    assert (first.kind, first.options, first.required) == (QuestionKind.LABEL, ("yes", "no"), True)
    assert (second.title, second.description, second.required) == ("Why?", "In a sentence.", False)


# --- a task ------------------------------------------------------------


def test_a_task_shows_progress_agreement_with_n_and_applies(
    browser_of: Open, studio: Studio, project: Project, task: LabelTask
) -> None:
    app = browser_of(Role.EDITOR).open("label")
    people, agreement = (table.value for table in app.dataframe)
    assert people["Submitted"].tolist() == [4, 4] and people["Assigned"].tolist() == [4, 4]
    assert agreement["Equal"].tolist()[0] == "75%" and agreement["n"].tolist()[0] == 4
    app = press(app, "Apply answers")
    assert "3 confirmed, 0 corrected, 1 disputed" in app.success[0].value
    assert studio.labeling.undecided(project.id) == 1
    assert [each.label for each in app.button if "review session" in each.label] == ["Start a review session (1)"]


@pytest.mark.parametrize(
    ("kappa", "word"),
    [
        (-0.1, "poor"),
        (0.2, "slight"),
        (0.4, "fair"),
        (0.41, "moderate"),
        (0.8, "substantial"),
        (0.81, "almost perfect"),
    ],
)
def test_agreement_in_words_follows_landis_and_koch(kappa: float, word: str) -> None:
    assert in_words(kappa) == word


def test_agreement_that_the_data_cannot_tell_apart_says_the_range() -> None:
    assert interval_in_words(0.7, 0.65, 0.75) == "substantial"
    assert interval_in_words(0.7, 0.35, 0.9) == "substantial (fair to almost perfect)"
    assert interval_in_words(None, None, None) == "chance cannot be told apart"


def test_a_task_is_paused_reopened_and_closed(browser_of: Open, studio: Studio, task: LabelTask) -> None:
    app = browser_of(Role.EDITOR).open("label")
    for button, state in (("Pause", "paused"), ("Reopen", "open"), ("Close task", "closed")):
        app = press(app, button)
        assert studio.labeling.get(task.id).state == state
    assert "Pause" not in {each.label for each in app.button}


def test_new_guidelines_are_a_new_version_and_pictures_in_them_are_words(
    browser_of: Open, studio: Studio, platform: FakePlatform, task: LabelTask
) -> None:
    browser_of(Role.EDITOR)
    app = show(GUIDELINES)
    app = app.text_area(key=f"guide_{task.id}").set_value("Rule 1 ![map](http://evil.example/x.png)").run()
    assert any("picture: map" in each.value and "evil" not in each.value for each in app.markdown)
    press(app, "Save as a new version")
    assert studio.labeling.get(task.id).guideline_version == 2
    assert "Rule 1" in platform.guidelines[task.backend_ref]


def test_a_task_that_the_platform_lost_is_sent_again(
    browser_of: Open, studio: Studio, platform: FakePlatform, task: LabelTask
) -> None:
    del platform.items[task.backend_ref]
    studio.labeling.sync_open()
    app = browser_of(Role.EDITOR).open("label")
    assert "8 answers collected so far are safe" in app.warning[0].value
    press(app, "Send again")
    assert studio.labeling.get(task.id).state == "publishing"


def test_how_people_read_the_guidelines_is_measured_for_editors_when_asked(
    browser_of: Open, studio: Studio, task: LabelTask
) -> None:
    asked = count_calls(studio.labeling, "quality")
    browser_of(Role.EDITOR).open("label")
    assert asked == []
    app = browser_of(Role.VIEWER).open("label")
    assert not [each for each in app.expander if "guidelines" in each.label]


def test_many_tasks_are_rows_that_a_state_filters(browser_of: Open, studio: Studio, task: LabelTask) -> None:
    with studio.database.write() as session:
        for number in range(14):
            session.add(LabelTask(dataset_id=task.dataset_id, name=f"Old {number}", state="closed"))
    app = browser_of(Role.EDITOR).open("label")
    assert app.subheader[0].value == "Golden set", "what is open comes first"
    assert len([each for each in app.expander if "Old" in each.label]) == 12, "a page of rows"
    app = app.segmented_control(key="label_state").set_value("closed").run()
    assert "Golden set" not in texts(app)


def test_an_argilla_that_is_down_is_said_and_the_page_still_works(
    browser_of: Open, studio: Studio, task: LabelTask
) -> None:
    from studio.label.argilla_backend import ArgillaBackend

    studio.labeling.backend = lambda: ArgillaBackend("http://127.0.0.1:9", "key", "secret")
    app = browser_of(Role.EDITOR).open("label")
    assert "does not answer" in app.warning[0].value and "Golden set" in texts(app)
    app = press(app, "Apply answers")
    assert "does not answer" in app.error[0].value


# --- a labeler ------------------------------------------------------------


def test_a_labeler_sees_their_own_tasks_of_every_project_and_what_is_left(
    browser_of: Open, studio: Studio, platform: FakePlatform, dataset: Dataset, task: LabelTask
) -> None:
    browser = browser_of(Role.LABELER)
    draft = TaskDraft(dataset.id, "For me ![x](http://evil.example)", size=2, people=("labeler-person", "mia"))
    mine = publish_task(
        studio.database, platform, studio.labeling.create(OPERATOR, draft).id, lambda _sent, _total: None
    )
    studio.projects.create(OPERATOR, "another")
    app = browser.open("label")
    said = texts(app)
    assert "For me" in said and "Golden set" not in said
    assert "2 left for you" in app.get("progress")[0].proto.text
    assert not {each.label for each in app.button} & {"Send to teammates", "Apply answers", "Close task"}
    platform.answer_as(mine.backend_ref, "labeler-person", {key: {"verdict": "correct"} for key in ids(studio, mine)})
    studio.labeling.sync(mine.id)
    assert "All done" in texts(app.run())


def test_a_labeler_may_answer_in_the_page_instead_of_a_new_tab(
    browser_of: Open, studio: Studio, platform: FakePlatform, dataset: Dataset
) -> None:
    browser = browser_of(Role.LABELER)
    made = studio.labeling.create(OPERATOR, TaskDraft(dataset.id, "Mine", people=("labeler-person", "mia")))
    publish_task(studio.database, platform, made.id, lambda _sent, _total: None)
    app = browser.open("label")
    assert [each.proto.url for each in app.get("link_button")] == [f"/label/open?task={made.id}"]
    app = app.toggle(key="here").set_value(True).run()
    [frame] = app.get("iframe")
    assert frame.proto.src == f"/label/open?task={made.id}"


def test_a_labeler_without_tasks_is_told_so(browser_of: Open, task: LabelTask) -> None:
    assert "Nothing to label right now" in texts(browser_of(Role.LABELER).open("label"))


# --- settings ------------------------------------------------------------


def test_settings_tell_which_argilla_is_used_and_test_another(browser_of: Open, studio: Studio) -> None:
    browser = browser_of(Role.ADMIN)
    app = browser.open("settings", tab="Labeling")
    assert "Embedded Argilla" in texts(app)
    app.text_input(key="argilla_test_url").set_value("http://127.0.0.1:9")
    app.text_input(key="argilla_test_key").set_value("wrong")
    app = press(app, "Test")
    assert "127.0.0.1" in app.error[0].value


def test_settings_make_change_and_delete_a_team(browser_of: Open, studio: Studio, project: Project) -> None:
    browser = browser_of(Role.EDITOR)
    app = show(TEAM)
    app.text_input(key="team_name").set_value("Support")
    app = app.multiselect(key="team_members").set_value(["mia", "noah"]).run()
    press(app, "Save team")
    [team] = studio.teams.all()
    assert (team.name, team.members) == ("Support", ["mia", "noah"])
    assert "Support" in texts(browser.open("settings", tab="Labeling"))
    press(show(TEAM), "Delete")
    assert studio.teams.all() == []


def ids(studio: Studio, task: LabelTask) -> list[str]:
    return [item.id for item, _example in studio.labeling.items(task.id)]


def count_calls(service: object, verb: str) -> list[str]:
    """The verb's calls from now on."""
    calls, real = [], getattr(service, verb)

    def counted(*given: object) -> object:
        calls.append(verb)
        return real(*given)

    setattr(service, verb, counted)
    return calls
