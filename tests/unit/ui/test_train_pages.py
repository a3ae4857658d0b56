"""The Train page: what it asks for first, the plan, starting a run, and watching one."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from storage.tables import DatasetVersion, Job, Model, Project, Rehearsal, TrainingRun
from storage.types import now
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio
from studio.errors import InvalidInput
from studio.jobs.folders import RunFolder
from studio.train.events import EventLog
from studio.ui.train import marked
from studio.ui.train.answers import answer_blocks
from studio.ui.train.bring_back import take_in
from studio.ui.train.curves import LOSS, TARGETS, frame, task_frame
from studio.ui.train.differing import differences
from studio.ui.train.fields import EVERY
from studio.ui.train.happened import in_words
from studio.ui.train.tokens import learned_stretches, token_blocks
from tests.fakes.frozen_rows import base_files, freeze_rows, make_row

OPERATOR = Actor.operator()
WORDS = [left + right for left in "abcdefghijkl" for right in "abcdefghijkl"]
HOSTILE = "![x](http://evil/x.png)"
Opened = Callable[[Role], Any]


def texts(app: AppTest) -> str:
    kinds = (app.title, app.subheader, app.markdown, app.caption, app.error, app.warning, app.code)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def unfolded(app: AppTest, key: str) -> AppTest:
    """The page with this expander open."""
    app.session_state[key] = True
    return app.run()


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
    app = unfolded(browser_of(Role.EDITOR).open("train"), "reasons")
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
    app = unfolded(browser_of(Role.EDITOR).open("train", run=run.id), "recipe")
    assert not app.exception
    assert "50.0%" in [metric.value for metric in app.metric]
    assert any("model_name_or_path: base" in code.value for code in app.code)
    assert HOSTILE not in texts(app), "an answer is drawn by the component, as text"
    assert "Try again" in [button.label for button in app.button]


def test_the_list_links_every_run(run: TrainingRun, browser_of: Opened) -> None:
    app = browser_of(Role.EDITOR).open("train", view="Runs")
    assert "50.0% wholly right" in texts(app).replace("\\", "")


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


# --- what a run's events say --------------------------------------------


def test_curves_of_a_preference_method_are_found_by_what_it_logs() -> None:
    events = [logged(step, **{"loss": 1 / step, "rewards/margins": 0.1 * step}) for step in (1, 2, 3)]
    shown = {chart.key for chart in TARGETS if not frame(events, chart.lines).empty}
    assert shown == {"margins"}
    assert list(frame(events, LOSS.lines)["Training"]) == [1.0, 0.5, pytest.approx(1 / 3)]


def test_the_golden_sample_stands_beside_the_held_out_rows() -> None:
    events = [
        {"kind": "eval", "step": 4, "eval_task": 0.5},
        {"kind": "golden", "step": 4, "exact": 0.25, "n": 64},
        {"kind": "eval", "step": 8, "eval_task": 0.75},
    ]
    table = task_frame(events)
    assert list(table["Held-out"]) == [0.5, 0.75] and table["Golden sample"].iloc[0] == 0.25


def test_undone_steps_are_not_drawn_after_a_resume() -> None:
    events = [logged(1, loss=1.0), logged(2, loss=9.0), {"kind": "train_begin", "max_steps": 4, "resumed_at": 1}]
    assert list(frame([*events, logged(2, loss=0.5)], LOSS.lines)["Training"]) == [1.0, 0.5]


def test_out_of_memory_and_a_resume_are_told_in_plain_words() -> None:
    told = in_words(
        [
            {"kind": "train_begin", "max_steps": 40, "resumed_at": 0},
            {"kind": "checkpoint", "step": 5},
            {"kind": "checkpoint", "step": 10},
            {"kind": "oom", "step": 12, "micro_from": 8, "micro_to": 4, "accumulation": 2, "at": 1.0},
            {"kind": "train_begin", "max_steps": 40, "resumed_at": 10},
            {"kind": "nobody knows"},
        ]
    )
    assert [each.text.split(".")[0] for each in told] == [
        "Went on from the checkpoint at step 10",
        "Out of memory at step 12: 8 rows at once became 4, gathered 2 times per step",
        "Checkpoint saved at step 10",
        "Began; 40 steps are planned",
    ]


def test_differences_between_answers_are_marked_word_by_word() -> None:
    wanted, given = differences('{"priority": "low"}', '{"priority": "high"}')
    assert [piece["text"] for piece in wanted if piece["mark"] == "missing"] == ["low"]
    assert [piece["text"] for piece in given if piece["mark"] == "extra"] == ["high"]
    assert "".join(piece["text"] for piece in given) == '{"priority": "high"}'


def test_hostile_answers_stay_text_all_the_way_to_the_component() -> None:
    [block] = answer_blocks([{"prompt": HOSTILE, "expected": "yes", "answer": f"<script>{HOSTILE}</script>"}])
    assert "".join(piece["text"] for piece in block["lines"][1]["pieces"]) == f"<script>{HOSTILE}</script>"
    source = (Path(marked.__file__).parent / "marked.js").read_text()
    assert "textContent" in source and "innerHTML" not in source and "insertAdjacent" not in source


def test_learned_tokens_are_told_apart_by_more_than_colour() -> None:
    row = {"tokens": [{"text": "Hi", "learned": False}, {"text": " yes", "learned": True}], "length": 2, "learned": 1}
    [block] = token_blocks([row])
    assert [piece["mark"] for piece in block["lines"][0]["pieces"]] == ["read", "learned"]
    assert block["note"] == "2 tokens, 1 learned" and learned_stretches(row) == [" yes"]
    style = (Path(marked.__file__).parent / "marked.css").read_text()
    assert "border-bottom" in style.split(".piece.learned")[1].split("}")[0]


def logged(step: int, **numbers: float) -> dict[str, Any]:
    return {"kind": "log", "step": step} | numbers


# --- the ways to learn --------------------------------------------------


def test_a_method_without_its_data_is_visible_and_says_what_is_missing_and_where_to_make_it(
    version: DatasetVersion, base: Model, browser_of: Opened
) -> None:
    app = browser_of(Role.EDITOR).open("train")
    assert app.button(key="learn_dpo").disabled and not app.button(key="learn_sft").disabled
    said = texts(app).replace("\\", "")
    assert "0 pairs; DPO wants 200: rank or correct more answers, then freeze a new version on Label." in said
    assert app.button(key="learn_kto").disabled


def test_another_way_to_learn_makes_another_plan_and_another_run(
    studio: Studio, version: DatasetVersion, base: Model, browser_of: Opened
) -> None:
    app = browser_of(Role.EDITOR).open("train")
    app.button(key="learn_grpo").click().run()
    assert "Let practise tiny" in texts(app)
    assert "works best on a model that already learned the answers" in "\n".join(each.value for each in app.info)
    app.number_input(key="set_num_generations").set_value(4).run()
    press(app, "Train")
    [started] = studio.training.all(base.project_id)
    assert started.method == "grpo" and started.recipe["num_generations"] == 4


def test_a_chain_starts_two_runs_one_after_the_other(
    studio: Studio, version: DatasetVersion, base: Model, browser_of: Opened
) -> None:
    app = browser_of(Role.EDITOR).open("train")
    app.selectbox(key="train_then").set_value("grpo").run()
    press(app, "Train")
    late, first = studio.training.all(base.project_id)
    assert (first.method, late.method, late.after_run_id) == ("sft", "grpo", first.id)
    said = texts(browser_of_queue(app))
    assert f"after Train {first.name}" in said.replace("\\", "")


def test_tonight_lets_the_run_wait(studio: Studio, version: DatasetVersion, base: Model, browser_of: Opened) -> None:
    app = browser_of(Role.EDITOR).open("train")
    app.segmented_control(key="when").set_value("Tonight").run()
    press(app, "Train")
    [job] = studio.jobs.queue(base.project_id)
    assert job.not_before is not None and job.not_before > now()
    app = browser_of_queue(app)
    assert "not before" in texts(app)
    app.button(key=f"Now_{job.id}").click().run()
    assert studio.jobs.get(job.id).not_before is None


def test_the_queue_is_put_in_another_order(
    studio: Studio, version: DatasetVersion, base: Model, browser_of: Opened
) -> None:
    first, second = (studio.training.start(OPERATOR, version.id, base.id, name=name) for name in ("one", "two"))
    app = browser_of(Role.EDITOR).open("train", view="Runs")
    app.button(key=f"Up_{second.job_id}").click().run()
    assert [job.id for job in studio.jobs.queue(base.project_id)] == [second.job_id, first.job_id]
    app.button(key=f"Cancel_{first.job_id}").click().run()
    assert [job.id for job in studio.jobs.queue(base.project_id)] == [second.job_id]


def test_a_viewer_cannot_change_the_queue(
    studio: Studio, version: DatasetVersion, base: Model, browser_of: Opened
) -> None:
    run = studio.training.start(OPERATOR, version.id, base.id)
    app = browser_of(Role.VIEWER).open("train", view="Runs")
    assert "Queue" in texts(app)
    assert not [button for button in app.button if str(button.key).endswith(str(run.job_id))]


def test_the_exact_recipe_is_one_click_away(version: DatasetVersion, base: Model, browser_of: Opened) -> None:
    app = unfolded(browser_of(Role.EDITOR).open("train"), "plan_recipe")
    assert any("learning_rate: 0.01" in code.value and "per_device_train_batch_size" in code.value for code in app.code)


def test_a_value_that_cannot_be_used_is_a_sentence(version: DatasetVersion, base: Model, browser_of: Opened) -> None:
    app = browser_of(Role.EDITOR).open("train")
    app.number_input(key="set_batch_size").set_value(10).run()
    app.number_input(key="set_micro_batch").set_value(4).run()
    assert any("multiple of" in error.value for error in app.error) and not app.exception
    app.button(key="to_advice").click().run()
    assert not app.error and app.number_input(key="set_batch_size").value is None


# --- places -------------------------------------------------------------


def test_a_place_is_offered_to_runs_once_it_is_saved(
    studio: Studio, version: DatasetVersion, base: Model, browser_of: Opened
) -> None:
    browser = browser_of(Role.ADMIN)
    code = "from studio.ui.settings.place_form import place_form\nfrom studio.ui.settings.places import TRAINING\n"
    form = AppTest.from_string(f"{code}place_form(TRAINING, None)").run()
    form.selectbox(key="place_kind").set_value("ray").run()
    form.text_input[0].set_value("our cluster")
    form.text_input[1].set_value("http://127.0.0.1:8265")
    press(form, "Save place")
    [place] = studio.places.all()
    assert (place.name, place.kind, place.url) == ("our cluster", "ray", "http://127.0.0.1:8265")
    app = browser.open("settings", tab="Compute")
    assert "our cluster" in texts(app)
    app = browser.open("train")
    app.selectbox(key="train_place").set_value("our cluster").run()
    press(app, "Train")
    assert studio.training.all(base.project_id)[0].runner == "our cluster"


def browser_of_queue(app: AppTest) -> AppTest:
    """The same person, looking at the runs."""
    app.query_params.clear()
    app.session_state["view"] = "Runs"
    return app.run()


# --- the doctor ---------------------------------------------------------


def test_one_batch_is_looked_at_by_a_job_and_its_findings_can_be_fixed(
    studio: Studio, version: DatasetVersion, base: Model, browser_of: Opened
) -> None:
    app = browser_of(Role.EDITOR).open("train")
    press(app, "Look at one batch")
    [job] = studio.jobs.active(base.project_id, ("rehearse",))
    assert f"rehearsal_{job.id}_cancel" in {button.key for button in app.button}
    tokens = [{"text": HOSTILE, "learned": False}, {"text": "yes", "learned": True}]
    shorter = {"severity": "warning", "text": "3 rows are cut.", "fix": "Cut later.", "overrides": {"max_length": 256}}
    result = {
        "rows": [{"tokens": tokens, "length": 2, "learned": 1, "cut": False, "part": ""}],
        "counts": {"rows": 108, "truncated": 3, "fully_masked": 0, "dropped": 0},
        "findings": [shorter],
        "step_s": 0.25,
        "tokens_per_second": 4321.0,
        "device": "cpu",
    }
    finish(studio, str(job.spec["rehearsal_id"]), result)
    app.run()
    said = texts(app).replace("\\", "")
    assert "108 rows looked at · 3 cut · 0.25 s a micro-step · 4,321 tokens/s measured · on cpu" in said
    assert "one thing to look at" in said and HOSTILE not in texts(app)
    app.button(key="finding_0_fix").click().run()
    assert app.number_input(key="set_max_length").value == 256 and not app.exception


def test_what_more_labels_would_bring_is_told_with_its_interval_or_not_at_all(
    studio: Studio, version: DatasetVersion, base: Model, browser_of: Opened
) -> None:
    app = unfolded(browser_of(Role.EDITOR).open("train"), "label_worth")
    app.button(key="ask_worth").click().run()
    [job] = studio.jobs.active(base.project_id, ("label_value",))
    told = {
        "sentence": "The next 100 labels would turn about 2.1 rows in a hundred right (0.4 to 3.9).",
        "hidden": False,
    }
    points = [{"rows": 27, "error": 0.5}, {"rows": 108, "error": 0.25}]
    finish(studio, str(job.spec["rehearsal_id"]), told | {"metric": "exact", "points": points, "curve": [[27, 0.5]]})
    app.run()
    assert "about 2.1 rows in a hundred right (0.4 to 3.9)" in texts(app).replace("\\", "")
    assert "Get more labels on Label" in [link.proto.label for link in app.get("page_link")]


def finish(studio: Studio, rehearsal_id: str, result: dict[str, Any]) -> None:
    """As the job does."""
    with studio.database.write() as session:
        stored = session.get_one(Rehearsal, rehearsal_id)
        stored.result, stored.finished_at = result, now()
    studio.jobs.cancel(OPERATOR, str(stored.job_id))


# --- a run, once it has ended -------------------------------------------


def test_clone_and_tweak_fills_the_set_up_and_remembers_where_it_came_from(
    studio: Studio, version: DatasetVersion, base: Model, browser_of: Opened
) -> None:
    given = {"max_steps": 9, "learning_rate": 0.004}
    first = studio.training.start(OPERATOR, version.id, base.id, preset="quick", overrides=given)
    app = browser_of(Role.EDITOR).open("train", run=first.id)
    app.button(key="tweak").click().run()
    assert not app.exception and "run" not in app.query_params
    assert "Filled from" in texts(app) and app.number_input(key="set_max_steps").value == 9
    assert app.segmented_control(key="preset").value == "quick"
    app.number_input(key="set_max_steps").set_value(11).run()
    press(app, "Train")
    made = studio.training.all(base.project_id)[0]
    assert (made.parent_run_id, made.recipe["max_steps"], made.recipe["learning_rate"]) == (first.id, 11, 0.004)
    assert f"like {first.name}" in [link.proto.label.replace("\\", "") for link in app.get("page_link")]


def test_a_run_is_done_again_noted_and_tagged(studio: Studio, run: TrainingRun, browser_of: Opened) -> None:
    app = browser_of(Role.EDITOR).open("train", run=run.id)
    app.text_area[0].set_value(f"The first one {HOSTILE}")
    app.multiselect[0].set_value(["baseline"])
    press(app, "Save note")
    noted = studio.training.get(run.id)
    assert (noted.note, noted.tags) == (f"The first one {HOSTILE}", ["baseline"])
    assert any(HOSTILE in each.value for each in app.text), "a note is plain text"
    app.button(key="again").click().run()
    again = studio.training.all(run.project_id)[0]
    assert again.recipe_digest == run.recipe_digest and again.id in app.query_params["run"]


def test_the_card_says_what_was_learned_and_mends_in_one_click(
    studio: Studio, run: TrainingRun, browser_of: Opened
) -> None:
    fix = {"label": "Train 1 pass", "overrides": {"num_train_epochs": 1.0}, "resume": False, "page": ""}
    warning = {"rule": "overfit", "cause": "It learned by heart.", "evidence": "", "fix": fix}
    card = {
        "sentence": "It answers better: exact match from 3.0 % to 41.0 %.",
        "learned": [f"Valid JSON {HOSTILE}"],
        "fails": [{"prompt": "ticket", "expected": "yes", "answer": HOSTILE}],
        "overfit": {"verdict": True, "sentence": "Past its best."},
        "forgot": {"verdict": None, "sentence": ""},
        "warnings": [warning],
        "next": [
            {"text": "Train 1 pass.", "page": "train", "rule": "overfit"},
            {"text": "Compare it.", "page": "evaluate"},
        ],
        "estimates": {"sentence": "Estimated time 12% too high."},
    }
    with studio.database.write() as session:
        session.get_one(TrainingRun, run.id).card = card
    app = browser_of(Role.EDITOR).open("train", run=run.id)
    said = texts(app).replace("\\", "")
    assert "It answers better: exact match from 3.0 % to 41.0 %." in said and "12% too high" in said
    assert "It learned by heart." in said and HOSTILE not in texts(app) and "A new run of" in said
    app.button(key="apply_overfit").click().run()
    mended = studio.training.all(run.project_id)[0]
    assert mended.parent_run_id == run.id and mended.recipe["num_train_epochs"] == 1.0


def test_a_failed_run_says_why_and_starts_again_with_the_fix(
    studio: Studio, run: TrainingRun, browser_of: Opened
) -> None:
    fix = {"label": "Hold 4 rows in memory at once", "overrides": {"micro_batch": 4}, "resume": False, "page": ""}
    failure = {"rule": "memory", "cause": "Memory ran out.", "evidence": "At step 3.", "fix": fix, "log_line": HOSTILE}
    with studio.database.write() as session:
        session.get_one(TrainingRun, run.id).failure = failure
        job = session.get_one(Job, str(run.job_id))
        job.status, job.error = "failed", "Memory ran out."
    app = browser_of(Role.EDITOR).open("train", run=run.id)
    assert "Memory ran out." in texts(app) and any(code.value == HOSTILE for code in app.code)
    app.button(key="apply_memory").click().run()
    mended = studio.training.all(run.project_id)[0]
    assert mended.recipe["per_device_train_batch_size"] == 4 and mended.id in app.query_params["run"]


def test_a_bundle_is_made_for_another_tool(run: TrainingRun, browser_of: Opened) -> None:
    app = unfolded(browser_of(Role.EDITOR).open("train", run=run.id), "recipe")
    app.selectbox(key="bundle_tool").set_value("axolotl").run()
    app.button(key="make_bundle").click().run()
    assert not app.error and "Download the bundle" in [each.proto.label for each in app.get("download_button")]
    assert any(f"studio reproduce {run.id}" in code.value for code in app.code)


# --- several runs -------------------------------------------------------


def test_runs_are_filtered_and_compared(
    studio: Studio, version: DatasetVersion, base: Model, run: TrainingRun, browser_of: Opened
) -> None:
    other = studio.training.start(OPERATOR, version.id, base.id, overrides={"learning_rate": 0.02}, tags=("candidate",))
    app = browser_of(Role.EDITOR).open("train", view="Runs")
    app.selectbox(key="run_tag").set_value("candidate").run()
    assert f"pick_{other.id}" in {box.key for box in app.checkbox} and len(app.checkbox) == 1
    app.selectbox(key="run_tag").set_value(None).run()
    for each in (run, other):
        app.checkbox(key=f"pick_{each.id}").check().run()
    press(app, "Compare 2 runs")
    assert not app.exception and "2 runs compared" in texts(app)
    [row] = [row for row in app.dataframe[0].value.to_dict("records") if row["What"] == "Learning rate"]
    assert (row[run.name], row[other.name]) == ("0.01", "0.02")
    states = dict(zip(app.dataframe[1].value["Run"], app.dataframe[1].value["State"], strict=True))
    assert states == {run.name: "cancelled", other.name: "queued"}


def test_a_sweep_tells_its_total_and_starts_one_run_per_combination(
    studio: Studio, version: DatasetVersion, base: Model, browser_of: Opened
) -> None:
    browser_of(Role.EDITOR)
    lines = (
        "from studio.ui.state import current_studio",
        "from studio.ui.train.choice import Choice, Start",
        "from studio.ui.train.planned import planned",
        "from studio.ui.train.sweep import sweep_form",
        f"choice = Choice({base.project_id!r}, {version.id!r}, 'model:{base.id}', 'quick')",
        "sweep_form(choice, Start(), {'max_steps': 5}, planned(choice, {})[0])",
    )
    app = AppTest.from_string("\n".join(lines), default_timeout=30).run()
    assert "3 runs, about" in texts(app)
    app.text_input(key="sweep_learning_rate").set_value("0.01, fast").run()
    assert any("takes numbers" in error.value for error in app.error)
    app.text_input(key="sweep_learning_rate").set_value("0.01, 0.02").run()
    press(app, "Start 2 runs")
    made = studio.training.all(base.project_id)
    assert {run.recipe["learning_rate"] for run in made} == {0.01, 0.02}
    assert len({run.sweep_id for run in made}) == 1 and all(run.recipe["max_steps"] == 5 for run in made)


def test_settings_whose_options_have_several_parts_can_be_swept() -> None:
    from studio.ui.train.sweep import _one, parsed

    options = EVERY["loss_type"].options  # type: ignore[union-attr]
    assert parsed("loss_type", ", ".join(_one(option) for option in options)) == list(options)
    assert parsed("packing", "yes, no") == [True, False]


def test_a_recipe_edited_by_hand_is_trained_and_a_wrong_key_is_named(
    studio: Studio, version: DatasetVersion, base: Model, browser_of: Opened
) -> None:
    app = unfolded(browser_of(Role.EDITOR).open("train"), "plan_recipe")
    area = next(each for each in app.text_area if each.label == "Recipe")
    text = str(area.value)
    area.set_value(text.replace("learning_rate", "learing_rate"))
    press(app, "Train this recipe")
    assert any("learning_rate" in error.value.replace("\\", "") for error in app.error)
    area = next(each for each in app.text_area if each.label == "Recipe")
    area.set_value(text.replace("learning_rate: 0.01", "learning_rate: 0.03"))
    press(app, "Train this recipe")
    [started] = studio.training.all(base.project_id)
    assert started.recipe["learning_rate"] == 0.03


def test_a_place_with_a_price_shows_what_the_run_would_cost(
    studio: Studio, version: DatasetVersion, base: Model, browser_of: Opened
) -> None:
    studio.places.save(OPERATOR, "cluster", "ray", "http://127.0.0.1:8265", price_per_hour=36.0)
    app = browser_of(Role.EDITOR).open("train")
    assert "Cost" not in [metric.label for metric in app.metric]
    app.selectbox(key="train_place").set_value("cluster").run()
    [cost] = [metric.value for metric in app.metric if metric.label == "Cost"]
    assert cost.startswith("$") and " to $" in cost


def test_a_zip_that_holds_no_model_is_refused_with_the_reason(
    studio: Studio, version: DatasetVersion, base: Model, browser_of: Opened
) -> None:
    app = unfolded(browser_of(Role.EDITOR).open("train", view="Runs"), "bring_back")
    app.text_input(key="back_name").set_value("from elsewhere")
    press(app, "Bring it back")
    assert any("Choose the zip" in error.value for error in app.error)
    with pytest.raises(InvalidInput):
        take_in(OPERATOR, base.project_id, io.BytesIO(b"no zip at all"), base.id, "from elsewhere")
    assert studio.jobs.active(base.project_id) == []
