"""Curate, Evaluate and Improve with something in them: what they say, and what their buttons do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from storage.tables import (
    Dataset,
    Deployment,
    Evaluation,
    EvaluationOutput,
    HumanCeiling,
    LabelTask,
    LogEntry,
    Model,
    Project,
    Provider,
    Revision,
)
from storage.types import now
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio
from studio.evaluate.summary import summarise
from studio.scoring import DEFAULT, scorer, scores
from studio.ui.curate_example import decision_line
from studio.ui.formats import plain
from tests.unit.ui.conftest import Browser, texts

OPERATOR = Actor.operator()
COLOURS = ("amber", "azure", "black", "blond", "brown", "coral", "cream", "green")
HOSTILE = "![x](http://evil.example/x.png) <b>bold</b>"
Open = Callable[[Role], Browser]


def truth(text: str) -> str:
    return json.dumps({"category": text})


@pytest.fixture
def project(studio: Studio) -> Project:
    return studio.projects.create(OPERATOR, "support")


@pytest.fixture
def calls(studio: Studio, project: Project) -> list[LogEntry]:
    with studio.database.write() as session:
        model = Model(project_id=project.id, name="small", kind="tuned")
        deployment = Deployment(project_id=project.id, alias="triage")
        session.add_all([model, deployment])
        session.flush()
        revision = Revision(deployment_id=deployment.id, model_id=model.id, number=1)
        session.add(revision)
        session.flush()
        rows = [
            LogEntry(
                project_id=project.id,
                model="triage",
                served_model="small-r1" if number % 2 else "big",
                revision_id=revision.id if number % 2 else None,
                messages=[{"role": "user", "content": f"{colour} {number // 8} {HOSTILE}"}],
                reply={"role": "assistant", "content": truth(colour)},
                cost_usd=0.0 if number % 2 else 0.01,
            )
            for number, colour in enumerate(COLOURS * 6)
        ]
        session.add_all(rows)
    return rows


@pytest.fixture
def dataset(studio: Studio, project: Project, calls: list[LogEntry]) -> Dataset:
    made = studio.datasets.create(OPERATOR, project.id, "tickets", golden_percent=30)
    studio.datasets.add_entries(OPERATOR, made.id, calls)
    return made


@pytest.fixture
def evaluation(studio: Studio, dataset: Dataset) -> Evaluation:
    """Two models on verified golden examples: one always right, one never."""
    for row in studio.datasets.examples(dataset.id, split="golden", excluded=False):
        studio.datasets.set_output(OPERATOR, row.id, row.output)
    version = studio.datasets.freeze_now(OPERATOR, dataset.id)
    served = {"project_id": dataset.project_id, "kind": "provider"}
    with studio.database.write() as session:
        provider = Provider(project_id=dataset.project_id, name="today", base_url="http://127.0.0.1:9")
        session.add(provider)
        session.flush()
        models = [Model(**served, name=name, provider_id=provider.id) for name in ("good", "bad")]
        session.add_all(models)
    started = studio.evaluations.start(OPERATOR, version.id, [model.id for model in models])
    studio.jobs.cancel(OPERATOR, str(started.job_id))
    golden = studio.datasets.examples(dataset.id, split="golden", excluded=False)
    scorers = [scorer(spec) for spec in DEFAULT]
    answers = {
        model.id: [
            EvaluationOutput(
                evaluation_id=started.id, model_id=model.id, example_id=row.id, output=said, latency_ms=10.0,
                scores=scores(scorers, said, row.output),
            )
            for row in golden
            for said in [row.output if model.name == "good" else HOSTILE]
        ]
        for model in models
    }  # fmt: skip
    metrics = ["exact_match", "valid_json", "field:category"]
    with studio.database.write() as session:
        session.add_all(row for rows in answers.values() for row in rows)
        saved = session.get_one(Evaluation, started.id)
        saved.summary, saved.finished_at = summarise(models, answers, metrics, 0), now()
    return started


def button(app: AppTest, label: str) -> object:
    return next(each for each in app.button if each.label == label)


def shown_in_markdown(app: AppTest) -> str:
    return "\n".join(str(each.value) for each in (*app.markdown, *app.caption))


def test_curate_counts_what_a_version_would_hold_and_freezes_it(
    studio: Studio, dataset: Dataset, browser_of: Open
) -> None:
    app = browser_of(Role.EDITOR).open("curate")
    assert not app.exception
    figures = {metric.label: metric.value for metric in app.metric}
    summary = studio.datasets.summary(dataset.id)
    assert figures["Training examples"] == str(summary.train) and figures["Golden examples"] == str(summary.golden)
    button(app, "Freeze version").click().run()  # type: ignore[attr-defined]
    (job,) = studio.jobs.active(dataset.project_id)
    assert job.kind == "freeze" and job.spec["dataset_id"] == dataset.id
    assert HOSTILE not in shown_in_markdown(app)


def test_curate_filters_by_text_and_by_what_is_left_out(studio: Studio, dataset: Dataset, browser_of: Open) -> None:
    studio.datasets.exclude(OPERATOR, [studio.datasets.examples(dataset.id, excluded=False)[0].id])
    app = browser_of(Role.EDITOR).open("curate")
    app.selectbox(key="example_state").set_value("Left out").run()
    reasons = {*app.dataframe[0].value["Left out"]}
    assert "by_hand" in reasons and None not in reasons
    app.selectbox(key="example_state").set_value("In").run()
    app.text_input(key="example_text").set_value("azure").run()
    assert all("azure" in prompt for prompt in app.dataframe[0].value["Prompt"])
    app.text_input(key="example_text").set_value("nothing like it").run()
    assert "No example matches" in texts(app)


def test_a_viewer_can_look_at_curate_but_not_freeze(dataset: Dataset, browser_of: Open) -> None:
    app = browser_of(Role.VIEWER).open("curate")
    assert not app.exception and button(app, "Freeze version").disabled  # type: ignore[attr-defined]
    assert "New dataset" not in [each.label for each in app.button]


def test_an_empty_dataset_points_to_capture(studio: Studio, project: Project, browser_of: Open) -> None:
    studio.datasets.create(OPERATOR, project.id, "empty")
    assert "The dataset is empty" in texts(browser_of(Role.EDITOR).open("curate"))


def test_evaluate_says_who_is_better_and_how_surely(evaluation: Evaluation, browser_of: Open) -> None:
    app = browser_of(Role.EDITOR).open("evaluate", id=evaluation.id)
    assert not app.exception
    assert "good beats bad by 100 points on exact match" in texts(app).replace("\\", "")
    table = app.dataframe[0].value.set_index("Model")
    assert table.loc["good", "Exact match"].startswith("100.0%") and " to 100%" in table.loc["good", "Exact match"]
    assert HOSTILE not in shown_in_markdown(app)


def test_compare_starts_an_evaluation_of_the_chosen_models(
    studio: Studio, evaluation: Evaluation, browser_of: Open
) -> None:
    app = browser_of(Role.EDITOR).open("evaluate")
    button(app, "Compare").click().run()  # type: ignore[attr-defined]
    newest = studio.evaluations.all(evaluation.project_id)[0]
    assert newest.id != evaluation.id and newest.finished_at is None
    assert [job.kind for job in studio.jobs.active(evaluation.project_id)] == ["evaluate"]


def test_compare_without_verified_examples_says_what_to_do(studio: Studio, dataset: Dataset, browser_of: Open) -> None:
    studio.datasets.freeze_now(OPERATOR, dataset.id)
    app = browser_of(Role.EDITOR).open("evaluate")
    button(app, "Compare").click().run()  # type: ignore[attr-defined]
    assert "confirmed by a person" in app.error[0].value and not studio.evaluations.all(dataset.project_id)


def test_improve_shows_each_models_feedback_and_starts_the_next_turn(
    studio: Studio, dataset: Dataset, calls: list[LogEntry], browser_of: Open
) -> None:
    for number, entry in enumerate(calls):
        studio.feedback.give(dataset.project_id, uid=entry.uid, kind="thumbs", value=number % 2)
    app = browser_of(Role.EDITOR).open("improve")
    assert not app.exception
    assert "small gets 100 points more thumbs up than big" in texts(app).replace("\\", "")
    table = app.dataframe[0].value.set_index("Answered by")
    assert table.loc["small (revision 1)", "Up"] == 24 and table.loc["big", "Down"] == 24
    assert {metric.label: metric.value for metric in app.metric}["Judged calls waiting"] == "48"
    button(app, "Start next turn").click().run()  # type: ignore[attr-defined]
    assert [job.kind for job in studio.jobs.active(dataset.project_id)] == ["next_turn"]


def test_without_new_feedback_the_next_turn_cannot_start(dataset: Dataset, browser_of: Open) -> None:
    app = browser_of(Role.EDITOR).open("improve")
    assert not app.exception and button(app, "Start next turn").disabled  # type: ignore[attr-defined]


def test_evaluate_shows_how_often_people_agree_beside_the_models(
    studio: Studio, evaluation: Evaluation, dataset: Dataset, browser_of: Open
) -> None:
    with studio.database.write() as session:
        task = LabelTask(dataset_id=dataset.id, name="Golden set", template="verdict")
        session.add(task)
        session.flush()
        session.add(HumanCeiling(dataset_id=dataset.id, task_id=task.id, question="output", percent=92.0, n=60))
    app = browser_of(Role.EDITOR).open("evaluate", id=evaluation.id)
    assert not app.exception
    table = app.dataframe[0].value.set_index("Model")
    assert table.loc["Two people agree", "Exact match"] == "92.0% (82% to 96%)"
    assert "Human ceiling: two people gave equal answers for 92 %" in texts(app).replace("\\", "")


def test_versions_say_who_decided_and_what_preferences_they_hold(
    studio: Studio, project: Project, calls: list[LogEntry], browser_of: Open
) -> None:
    dataset = studio.datasets.create(OPERATOR, project.id, "tickets", golden_percent=0)
    studio.datasets.add_entries(OPERATOR, dataset.id, calls)
    first, second = studio.datasets.examples(dataset.id, split="train")[:2]
    studio.datasets.set_output(OPERATOR, first.id, "corrected")
    studio.datasets.set_output(OPERATOR, second.id, second.output)
    studio.datasets.freeze_now(OPERATOR, dataset.id)
    app = browser_of(Role.VIEWER).open("curate")
    app.session_state["curate_tab"] = "Versions"
    app.run()
    assert not app.exception
    said = texts(app).replace("\\", "")
    assert "1 preference pair to train on · 2 wanted and 1 unwanted answers (KTO)" in said
    assert f"decided by {OPERATOR.username} (2)" in said


def test_an_example_tells_how_it_was_decided(studio: Studio, dataset: Dataset) -> None:
    example = studio.datasets.examples(dataset.id)[0]
    studio.datasets.set_output(OPERATOR, example.id, HOSTILE)
    (decision,) = studio.datasets.history(example.id)
    assert decision_line(decision).startswith(f"Corrected by {OPERATOR.username} (by hand) · ")
    assert decision_line(decision).endswith("**stands**")
    hostile = replace(decision, decided_by="<b>*x*</b>", where="![x](http://evil.example)", stands=False)
    assert plain("<b>*x*</b>") in decision_line(hostile) and plain("![x](http://evil.example)") in decision_line(
        hostile
    )
