from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from storage.database import Database
from storage.tables import DatasetVersion, Model, Project, TrainingRun
from storage.types import now
from studio.access.actor import Actor
from studio.curate.snapshot import Row
from studio.errors import InvalidInput, NotAllowed, NotFound
from studio.jobs.folders import RunFolder
from studio.settings import Settings
from studio.train import recipe
from studio.train.models import Models
from studio.train.runs import Training
from tests.fakes.frozen_rows import make_row


def test_a_plan_reads_the_version_and_the_base(training: Training, version: DatasetVersion, base: Model) -> None:
    plan = training.plan(version.id, base.id)
    assert (plan.situation.rows, plan.situation.held_out) == (180, 20)
    assert plan.situation.lengths.exact and plan.situation.lengths.longest == 4 + 2 + 2 * 5
    assert plan.sentence.startswith("Teach tiny your 180 examples, watched on 20")


def test_a_run_and_its_job_appear_together(
    training: Training, version: DatasetVersion, base: Model, editor: Actor
) -> None:
    run = training.start(editor, version.id, base.id)
    job = training.jobs.get(str(run.job_id))
    assert (job.kind, job.spec, job.project_id, job.gpus) == ("train", {"run_id": run.id}, run.project_id, 0)
    assert (run.name, run.created_by) == ("tickets-v1-tiny", editor.username)
    assert training.get(run.id).recipe == run.recipe
    assert run.recipe_digest == recipe.digest(run.recipe, run.studio, version.digest, base.digest)
    assert [each.id for each in training.all(run.project_id)] == [run.id]


def test_a_second_run_gets_a_free_name(
    training: Training, version: DatasetVersion, base: Model, operator: Actor
) -> None:
    names = [training.start(operator, version.id, base.id).name for _ in range(3)]
    assert names == ["tickets-v1-tiny", "tickets-v1-tiny-2", "tickets-v1-tiny-3"]


def test_a_viewer_starts_nothing(training: Training, version: DatasetVersion, base: Model, viewer: Actor) -> None:
    with pytest.raises(NotAllowed):
        training.start(viewer, version.id, base.id)
    assert training.all(base.project_id) == [] and training.jobs.active(base.project_id) == []


def test_an_error_of_the_doctor_stops_the_start(
    training: Training, freeze: Callable[[list[Row], list[Row]], DatasetVersion], base: Model, operator: Actor
) -> None:
    empty = freeze([make_row("void", "")], [])
    assert training.planned(empty.id, base.id)[1][0].severity == "error"
    with pytest.raises(InvalidInput, match="no row to train on"):
        training.start(operator, empty.id, base.id)


def test_a_provider_model_cannot_be_trained(
    training: Training, version: DatasetVersion, database: Database, project: Project
) -> None:
    with database.write() as session:
        model = Model(project_id=project.id, name="hosted", kind="provider")
        session.add(model)
    with pytest.raises(InvalidInput, match="provider"):
        training.plan(version.id, model.id)


def test_unknown_versions_and_runs_are_not_found(training: Training, base: Model) -> None:
    with pytest.raises(NotFound, match="version"):
        training.plan("none", base.id)
    with pytest.raises(NotFound, match="run"):
        training.get("none")


def test_a_hub_base_is_planned_before_it_is_here(
    training: Training, version: DatasetVersion, project: Project, models: Models, operator: Actor
) -> None:
    plan, findings = training.plan_hub(project.id, version.id, "HuggingFaceTB/SmolLM2-135M-Instruct")
    assert plan.value("lora_r") == 8 and not plan.situation.lengths.exact
    assert models.all(project.id) == [] and not any(finding.severity == "error" for finding in findings)


def test_events_and_recipe_are_read_from_the_job_s_folder(
    training: Training, version: DatasetVersion, base: Model, operator: Actor, settings: Settings
) -> None:
    run = training.start(operator, version.id, base.id)
    assert training.events(run) == ([], 0)
    path = RunFolder.of(settings.runs, str(run.job_id)).work / "events.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text('{"kind": "log", "step": 1}\n')
    assert training.events(run)[0] == [{"kind": "log", "step": 1}]
    assert yaml.safe_load(training.recipe_text(run)) == run.recipe


def test_a_cancelled_run_can_go_on(training: Training, version: DatasetVersion, base: Model, operator: Actor) -> None:
    run = training.start(operator, version.id, base.id)
    assert training.cancel(operator, run.id).status == "cancelled"
    assert training.resume(operator, run.id).status == "queued"


def test_a_finished_run_teaches_the_next_estimate(
    training: Training, version: DatasetVersion, base: Model, operator: Actor, database: Database
) -> None:
    run = training.start(operator, version.id, base.id)
    assert not training.plan(version.id, base.id).estimate.measured
    with database.write() as session:
        stored = session.get_one(TrainingRun, run.id)
        stored.summary, stored.finished_at = {"device": "cpu", "tokens_per_second": 9000}, now()
    assert training.plan(version.id, base.id).estimate.tokens_per_second == 9000


def test_documents_travel_as_an_artifact(training: Training, project: Project, operator: Actor) -> None:
    job = training.build_base(operator, project.id, ["one", "two"], "tiny")
    with training.artifacts.open_file(job.spec["documents"], "documents.jsonl") as stream:
        assert [json.loads(line)["text"] for line in stream.read().splitlines()] == ["one", "two"]
    with pytest.raises(InvalidInput, match="no text"):
        training.build_base(operator, project.id, [], "nothing")


def test_a_base_name_that_is_taken_is_refused(
    training: Training, project: Project, operator: Actor, base: Model
) -> None:
    with pytest.raises(InvalidInput, match="tiny"):
        training.build_base(operator, project.id, ["text"], base.name)


def test_a_recipe_is_flat_yaml_with_the_studio_s_own_keys_apart(tmp_path: Path) -> None:
    recipe.write(tmp_path, {"learning_rate": 0.01}, {"samples": 2})
    assert yaml.safe_load((tmp_path / "recipe.yaml").read_text()) == {"learning_rate": 0.01}
    assert recipe.read_studio(tmp_path) == recipe.STUDIO_DEFAULTS | {"samples": 2}
    assert recipe.digest({"a": 1, "b": 2}) == recipe.digest({"b": 2, "a": 1}) != recipe.digest({"a": 2, "b": 1})


def test_planning_imports_neither_torch_nor_transformers() -> None:
    modules = "import sys, studio.train.runs, studio.train.jobs, studio.train.models"
    check = f"{modules}; print([m for m in ('torch', 'transformers', 'trl', 'peft', 'datasets') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
