"""A run or a plan as a zip: the rows of its version, none of the golden ones."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import DatasetVersion, Model
from studio.access.actor import Actor
from studio.errors import Conflict, InvalidInput
from studio.jobs.folders import RunFolder
from studio.jobs.queue import Jobs
from studio.settings import Settings
from studio.train.runs import Training
from studio.train.takeaway import service
from studio.train.takeaway.service import Takeaways


@pytest.fixture
def takeaways(database: Database, artifacts: Artifacts, settings: Settings, training: Training) -> Takeaways:
    return Takeaways(database, artifacts, Jobs(database), settings, training)


def test_a_runs_bundle_holds_its_recipe_its_rows_and_its_base(
    takeaways: Takeaways, training: Training, operator: Actor, version: DatasetVersion, base: Model, tmp_path: Path
) -> None:
    run = training.start(operator, version.id, base.id, name="triage / small")
    made = takeaways.bundle(run.id, "trl")
    with ZipFile(BytesIO(made)) as archive:
        files = {name.removeprefix("triage---small-trl/"): archive.read(name) for name in archive.namelist()}
    recipe = yaml.safe_load(files["recipe.yaml"])
    assert recipe == run.recipe | {"model_name_or_path": "base"}
    rows = [json.loads(line) for line in files["data/train.jsonl"].splitlines()]
    held_out = files["data/eval.jsonl"].splitlines()
    assert len(rows) + len(held_out) == 200
    assert not any(b"golden" in content for name, content in files.items() if name.startswith("data/"))
    assert "base/config.json" in files
    assert takeaways.write_bundle(run.id, "trl", tmp_path / "a.zip").read_bytes() == made


def test_a_plan_can_be_taken_away_without_a_run(takeaways: Takeaways, version: DatasetVersion, base: Model) -> None:
    made = takeaways.bundle_of_plan(version.id, base.id, "axolotl", overrides={"lora_r": 4, "training": "lora"})
    with ZipFile(BytesIO(made)) as archive:
        config = next(name for name in archive.namelist() if name.endswith("config.yml"))
        assert yaml.safe_load(archive.read(config))["lora_r"] == 4


def test_a_base_that_is_too_large_is_left_out_and_said(
    takeaways: Takeaways, version: DatasetVersion, base: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "TRAVELS", 1)
    with ZipFile(BytesIO(takeaways.bundle_of_plan(version.id, base.id, "trl"))) as archive:
        assert not any("/base/" in name for name in archive.namelist())
        readme = next(name for name in archive.namelist() if name.endswith("README.md"))
        assert "copy its files into `base/` yourself" in archive.read(readme).decode()


def test_a_teachers_answers_come_from_the_runs_own_folder(
    takeaways: Takeaways, training: Training, operator: Actor, version: DatasetVersion, base: Model, database: Database
) -> None:
    with pytest.raises(Conflict, match="when the run starts"):
        takeaways.bundle_of_plan(version.id, base.id, "trl", method="distil")
    run = training.start(operator, version.id, base.id)
    with database.write() as session:
        session.merge(run).method = "distil"
    with pytest.raises(Conflict, match="answers are not here"):
        takeaways.bundle(run.id, "trl")
    data = RunFolder.of(takeaways.settings.runs, str(run.job_id)).work / "data"
    data.mkdir(parents=True)
    taught = {"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "taught"}]}
    (data / "train.jsonl").write_text(json.dumps(taught) + "\n")
    assert len(takeaways.bundle(run.id, "unsloth")) > 500


def test_tools_are_listed_by_what_they_can_do(takeaways: Takeaways) -> None:
    assert [tool.name for tool in takeaways.tools()] == ["trl", "axolotl", "llama-factory", "unsloth"]
    assert [tool.name for tool in takeaways.tools("cpo")] == ["trl"]
    assert takeaways.tools("grpo") == []


def test_an_unknown_tool_is_refused(takeaways: Takeaways, version: DatasetVersion, base: Model) -> None:
    with pytest.raises(InvalidInput, match="no tool 'x'"):
        takeaways.bundle_of_plan(version.id, base.id, "x")
