"""The Train page: what it asks for first, the plan, starting a run, and watching one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from storage.tables import DatasetVersion, Model, Project, TrainingRun
from storage.types import now
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio
from studio.jobs.folders import RunFolder
from studio.train.events import EventLog
from tests.fakes.frozen_rows import base_files, freeze_rows, make_row

OPERATOR = Actor.operator()
WORDS = [left + right for left in "abcdefghijkl" for right in "abcdefghijkl"]
HOSTILE = "![x](http://evil/x.png)"
Opened = Callable[[Role], Any]


def texts(app: AppTest) -> str:
    kinds = (app.title, app.subheader, app.markdown, app.caption, app.error, app.warning, app.code)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


@pytest.fixture
def project(studio: Studio) -> Project:
    return studio.projects.create(OPERATOR, "support")


@pytest.fixture
def version(studio: Studio, project: Project) -> DatasetVersion:
    train = [make_row(f"ticket {word}", f"answer {word}") for word in WORDS[:120]]
    golden = [make_row(f"golden {word}", "answer", "golden") for word in WORDS[:20]]
    return freeze_rows(studio.database, studio.artifacts, project.id, train, golden)


@pytest.fixture
def base(studio: Studio, project: Project) -> Model:
    digest = base_files(studio.artifacts)
    return studio.models.register_base(OPERATOR, project.id, "tiny", digest=digest, parameters=430_896)


@pytest.fixture
def run(studio: Studio, version: DatasetVersion, base: Model) -> TrainingRun:
    """A finished run with curves and an answer that tries to be an image."""
    run = studio.training.start(OPERATOR, version.id, base.id)
    studio.jobs.cancel(OPERATOR, str(run.job_id))
    events = EventLog(RunFolder.of(studio.settings.runs, str(run.job_id)).work / "events.jsonl")
    events.emit("train_begin", max_steps=2, resumed_at=0)
    events.emit("log", step=1, loss=2.5)
    events.emit("eval", step=2, eval_loss=1.5, eval_greedy_exact=0.5)
    events.emit("sample", step=2, prompt="ticket", expected="answer", answer=HOSTILE)
    summary = {"greedy_exact": 0.5, "best_eval_loss": 1.5, "tokens_per_second": 9000, "device": "cpu", "wall_s": 9.0}
    with studio.database.write() as session:
        stored = session.get_one(TrainingRun, run.id)
        stored.summary, stored.finished_at = summary | {"steps": 2, "tokens": 90, "peak_memory_mb": 700}, now()
    return run


def test_without_a_version_it_points_to_curate(project: Project, browser_of: Opened) -> None:
    app = browser_of(Role.EDITOR).open("train")
    assert not app.exception and "Nothing to learn from yet" in texts(app)
    assert "Freeze a version" in [button.label for button in app.button]


def test_the_plan_is_told_in_a_sentence_with_time_memory_and_reasons(
    version: DatasetVersion, base: Model, browser_of: Opened
) -> None:
    app = browser_of(Role.EDITOR).open("train")
    assert not app.exception
    assert "Teach tiny your 108 examples" in texts(app) and "Fits" in texts(app)
    assert [metric.label for metric in app.metric] == ["Time", "Memory", "Steps", "Longest row"]
    values = app.dataframe[0].value
    assert values["Value"].iloc[0] == "lora" and values["Why"].str.endswith(".").all()


def test_train_starts_the_run_with_what_was_set_and_shows_it(
    studio: Studio, version: DatasetVersion, base: Model, browser_of: Opened
) -> None:
    app = browser_of(Role.EDITOR).open("train")
    app.number_input(key="set_max_steps").set_value(7).run()
    press(app, "Train")
    started = studio.training.all(base.project_id)[0]
    assert started.recipe["max_steps"] == 7 and started.id in app.query_params["run"]
    assert started.name in texts(app).replace("\\", "")


def test_a_base_of_the_hub_is_registered_when_it_is_trained(
    studio: Studio, version: DatasetVersion, base: Model, browser_of: Opened
) -> None:
    app = browser_of(Role.EDITOR).open("train")
    app.selectbox(key="base").set_value("hub:HuggingFaceTB/SmolLM2-135M-Instruct").run()
    assert "Apache 2" in texts(app).replace("\\", "") and len(studio.models.all(base.project_id)) == 1
    press(app, "Train")
    assert studio.models.find(base.project_id, "SmolLM2-135M-Instruct") is not None
    assert len(studio.training.all(base.project_id)) == 1


def test_what_the_doctor_found_is_told_before_the_start(
    studio: Studio, project: Project, base: Model, browser_of: Opened
) -> None:
    freeze_rows(studio.database, studio.artifacts, project.id, [make_row("void", "")], [])
    app = browser_of(Role.EDITOR).open("train")
    assert any("no row to train on" in error.value for error in app.error)
    press(app, "Train")
    assert studio.training.all(project.id) == []


def test_a_viewer_sees_the_plan_but_cannot_train(version: DatasetVersion, base: Model, browser_of: Opened) -> None:
    app = browser_of(Role.VIEWER).open("train")
    assert "Teach tiny" in texts(app)
    assert next(button for button in app.button if button.label == "Train").disabled


def test_a_run_shows_its_outcome_recipe_and_answers_as_text(run: TrainingRun, browser_of: Opened) -> None:
    app = browser_of(Role.EDITOR).open("train", run=run.id)
    assert not app.exception
    assert "50.0%" in [metric.value for metric in app.metric]
    assert any("model_name_or_path: base" in code.value for code in app.code)
    assert HOSTILE not in texts(app), "an answer is drawn by the component, as text"
    assert "Try again" in [button.label for button in app.button]


def test_the_list_links_every_run(run: TrainingRun, browser_of: Opened) -> None:
    app = browser_of(Role.EDITOR).open("train", view="Runs")
    assert "50.0% of held-out answers wholly right" in texts(app).replace("\\", "")


def test_an_unknown_run_is_a_sentence(project: Project, browser_of: Opened) -> None:
    app = browser_of(Role.EDITOR).open("train", run="nothing")
    assert not app.exception and "no longer exists" in app.error[0].value


def test_the_sample_project_builds_its_base_first(studio: Studio, browser_of: Opened) -> None:
    project = studio.projects.create(OPERATOR, "sample", is_sample=True)
    freeze_rows(studio.database, studio.artifacts, project.id, [make_row(word) for word in WORDS], [])
    app = browser_of(Role.EDITOR).open("train")
    assert [button.label for button in app.button if button.key in ("primary", "build_base")] == [
        "Build the tiny base model"
    ]
    press(app, "Build the tiny base model")
    assert [job.kind for job in studio.jobs.active(project.id)] == ["build_base"]
