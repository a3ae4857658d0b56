from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import DatasetVersion, Job, Model, Project, TrainingRun
from studio.access.actor import Actor
from studio.curate.snapshot import Row
from studio.deploy.artifact import Forms, adapter_of, export, forms
from studio.jobs.context import JobCancelled, JobContext
from studio.jobs.folders import RunFolder
from studio.jobs.queue import Jobs
from studio.settings import Settings
from studio.train import jobs, recipe
from studio.train.models import Models
from studio.train.recipes.generate import greedy
from studio.train.runs import Training
from tests.fakes.frozen_rows import freeze_rows, make_row
from tests.fakes.hub import COMMIT, running_hub
from tests.integration.train.conftest import SMALL, documents

pytestmark = pytest.mark.slow
WORDS = [left + right for left in "abcdefghij" for right in "abcdefghij"]


@pytest.fixture
def training(database: Database, artifacts: Artifacts, settings: Settings) -> Training:
    return Training(database, artifacts, Jobs(database), settings)


@pytest.fixture
def version(database: Database, artifacts: Artifacts, project: Project) -> DatasetVersion:
    return freeze_rows(database, artifacts, project.id, _rows(WORDS[:60], "train"), _rows(WORDS[60:70], "golden"))


def _rows(words: list[str], split: str) -> list[Row]:
    return [make_row(f"The cup {word} is red.", '{"light": true}', split) for word in words]


def _context(training: Training, job: Job, **more: Any) -> JobContext:
    folder = RunFolder.of(training.settings.runs, job.id)
    folder.prepare(1)
    stores = {"settings": training.settings, "database": training.database, "artifacts": training.artifacts}
    return JobContext(job.id, 1, job.kind, job.spec, folder.work, **stores, project_id=job.project_id, **more)


def test_from_documents_to_a_registered_tuned_model_that_can_prove_itself(
    training: Training, version: DatasetVersion, project: Project, operator: Actor
) -> None:
    models = Models(training.database)
    reports: list[float] = []
    building = training.build_base(operator, project.id, documents(), "small", SMALL)
    base = models.get(jobs.build_base(_context(training, building))["model_id"])
    assert (base.kind, base.name) == ("base", "small") and base.parameters == base.facts["parameters"]

    run = training.start(operator, version.id, base.id, overrides={"max_steps": 6})
    context = _context(training, training.jobs.get(str(run.job_id)), on_report=lambda done, _text: reports.append(done))
    stops = iter([False] * 3)
    context.stop_asked = lambda: next(stops, True)
    with pytest.raises(JobCancelled):
        jobs.train(context)
    assert training.model_of(run.id) is None

    reports.clear()
    context.stop_asked = lambda: False
    result = jobs.train(context)
    assert reports == sorted(reports) and reports[-1] > 0.9
    tuned = models.get(result["model_id"])
    assert (tuned.kind, tuned.parent_id, tuned.training_run_id) == ("tuned", base.id, run.id)
    assert jobs.train(context)["model_id"] == tuned.id, "a second attempt finds the work done"
    _proves_itself(tuned.facts["golden"]["prompts"])
    _is_portable(training.artifacts, tuned.digest)
    _its_adapter_can_be_pushed_alone(training, tuned, base)
    finished = training.get(run.id)
    assert finished.finished_at and finished.summary["steps"] == 6 and finished.summary["model_id"] == tuned.id
    _folder_is_complete(context.folder, finished)
    assert training.plan(version.id, base.id).estimate.measured


def test_a_hub_base_is_downloaded_once_by_the_run_and_kept_as_an_artifact(
    training: Training,
    version: DatasetVersion,
    project: Project,
    operator: Actor,
    base_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    models, hub_id = Models(training.database), "Qwen/Qwen3-0.6B"
    base = models.register_hub_base(operator, project.id, hub_id)
    overrides = {"max_steps": 1, "max_length": 64, "batch_size": 2}
    run = training.start(operator, version.id, base.id, overrides=overrides)
    with running_hub(hub_id, base_folder) as endpoint:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
        files = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", files)
        result = jobs.train(_context(training, training.jobs.get(str(run.job_id))))
    downloaded = models.get(base.id)
    assert downloaded.hub_revision == COMMIT
    assert ".cache" not in str(training.artifacts.manifest(downloaded.digest)["files"])
    tuned = models.get(result["model_id"])
    assert tuned.parent_id == base.id and tuned.facts["adapter"]["base"] == downloaded.digest
    assert training.plan(version.id, base.id).situation.lengths.exact, "its own tokenizer counts from now on"


def test_a_base_that_was_built_is_not_built_again(training: Training, project: Project, operator: Actor) -> None:
    context = _context(training, training.build_base(operator, project.id, documents(), "small", SMALL | {"steps": 2}))
    first = jobs.build_base(context)["model_id"]
    assert jobs.build_base(context) == {"model_id": first}
    assert len(Models(training.database).all(project.id)) == 1


def test_a_cancelled_build_registers_nothing(training: Training, project: Project, operator: Actor) -> None:
    context = _context(training, training.build_base(operator, project.id, documents(), "small", SMALL))
    context.stop_asked = lambda: True
    with pytest.raises(JobCancelled):
        jobs.build_base(context)
    assert Models(training.database).all(project.id) == []


def _proves_itself(prompts: list[dict[str, Any]]) -> None:
    assert len(prompts) >= 5
    first = prompts[0]
    assert first["text"].endswith("<|im_start|>assistant\n") and first["messages"][0]["role"] == "user"
    assert 0 < len(first["tuned_tokens"]) <= 16 and first["tuned_tokens"] != first["base_tokens"]


def _is_portable(artifacts: Artifacts, digest: str) -> None:
    files = artifacts.manifest(digest)["files"]
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= set(files)
    with artifacts.open_file(digest, "tokenizer_config.json") as stream:
        assert b'"chat_template"' in stream.read()


def _its_adapter_can_be_pushed_alone(training: Training, tuned: Model, base: Model) -> None:
    """Its base with only the adapter laid over it answers the proof prompts as the merged weights did."""
    kept, artifacts, settings = tuned.facts["adapter"], training.artifacts, training.settings
    assert kept["base"] == base.digest and kept["r"] > 0 and kept["alpha"] > 0 and "q_proj" in kept["targets"]
    assert forms(artifacts, tuned, "vllm") == Forms(True)
    adapter = adapter_of(artifacts, settings, tuned)
    assert adapter and {path.name for path in adapter.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}

    whole = export(artifacts, settings, tuned, form="adapter")
    tokenizer = AutoTokenizer.from_pretrained(whole)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(whole), adapter)
    for prompt in tuned.facts["golden"]["prompts"][:3]:
        wanted = prompt["tuned_tokens"][:4]
        assert greedy(model, tokenizer, [prompt["messages"]], 4)[0].tokens == wanted


def _folder_is_complete(folder: Path, run: TrainingRun) -> None:
    assert {recipe.RECIPE, recipe.STUDIO, recipe.DATA, recipe.ADAPTER, recipe.EVENTS} <= {
        path.name for path in folder.iterdir()
    }
    assert not (folder / recipe.OUTPUT).exists(), "checkpoints are gone once the model is registered"
