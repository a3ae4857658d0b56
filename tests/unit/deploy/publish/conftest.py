import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Dataset, DatasetVersion, Evaluation, Job, Model, Project, TrainingRun
from storage.types import now
from studio.deploy.publish.jobs import publish_model
from studio.deploy.publish.service import Publishing
from studio.jobs.context import JobContext
from studio.jobs.queue import Jobs
from studio.settings import Settings

Run = Callable[..., dict[str, Any]]
HEADER = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
WEIGHTS = len(HEADER).to_bytes(8, "little") + HEADER + bytes(16)
SCORES = {
    "name": "triage-v1",
    "n": 60,
    "exact_match": {"mean": 0.98, "low": 0.95, "high": 1.0, "n": 60},
    "valid_json": {"mean": 1.0, "low": 0.94, "high": 1.0, "n": 60},
}


@pytest.fixture
def publishing(database: Database, artifacts: Artifacts, settings: Settings) -> Publishing:
    return Publishing(database, artifacts, Jobs(database), settings)


@pytest.fixture
def base(database: Database, project: Project) -> Model:
    with database.write() as session:
        made = Model(project_id=project.id, name="Qwen small", kind="base", hub_id="Qwen/Qwen2.5-0.5B-Instruct")
        made.facts = {"licence": "apache-2.0"}
        session.add(made)
    return made


@pytest.fixture
def model(database: Database, artifacts: Artifacts, project: Project, base: Model, tmp_path: Path) -> Model:
    """A tuned model with its whole lineage: data, run, evaluation."""
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}))
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": []}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    digest = artifacts.save_folder(folder)
    with database.write() as session:
        dataset = Dataset(project_id=project.id, name="tickets")
        session.add(dataset)
        session.flush()
        version = DatasetVersion(dataset_id=dataset.id, number=3, digest="d" * 64, train_rows=900, golden_rows=60)
        session.add(version)
        session.flush()
        run = TrainingRun(
            project_id=project.id, dataset_version_id=version.id, base_model_id=base.id, name="run", method="sft",
            recipe={"learning_rate": 2e-4, "lora_r": 16, "num_train_epochs": 3}, recipe_digest="a" * 64, seed=7,
            card={"learned": ["It answers 98 % of held-out tickets exactly."]},
        )  # fmt: skip
        session.add(run)
        session.flush()
        made = Model(project_id=project.id, name="triage-v1", kind="tuned", digest=digest, parent_id=base.id)
        made.training_run_id, made.parameters = run.id, 494_000_000
        session.add(made)
        session.flush()
        judged = Evaluation(project_id=project.id, dataset_version_id=version.id, name="e", model_ids=[made.id])
        judged.summary, judged.finished_at = {"models": {made.id: SCORES}}, now()
        session.add(judged)
    return made


@pytest.fixture
def run(publishing: Publishing, tmp_path: Path) -> Run:
    """Run a publishing job here and now."""

    def now(job: Job, **hooks: Any) -> dict[str, Any]:
        folder = tmp_path / "jobs" / job.id
        folder.mkdir(parents=True, exist_ok=True)
        stores = (publishing.settings, publishing.database, publishing.artifacts)
        return publish_model(JobContext(job.id, 1, job.kind, job.spec, folder, *stores, created_by="ann", **hooks))

    return now
