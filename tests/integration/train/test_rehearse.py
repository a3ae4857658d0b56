from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import DatasetVersion, Job, Model, Project
from studio.access.actor import Actor
from studio.curate.snapshot import Row
from studio.jobs.context import JobCancelled, JobContext
from studio.jobs.folders import RunFolder
from studio.jobs.queue import Jobs
from studio.settings import Settings
from studio.train.machine import Machine
from studio.train.models import Models
from studio.train.rehearse import Rehearsals, jobs, label_jobs
from tests.fakes.frozen_rows import freeze_rows, make_row
from tests.full_proof import once_more

pytestmark = pytest.mark.slow
WORDS = [left + right for left in "abcdefghij" for right in "abcdefghij"]
LONG = " ".join(["and then it fell"] * 40)


@pytest.fixture
def rehearsals(database: Database, artifacts: Artifacts, settings: Settings) -> Rehearsals:
    return Rehearsals(database, artifacts, Jobs(database), settings)


@pytest.fixture
def base(artifacts: Artifacts, database: Database, project: Project, operator: Actor, base_folder: Any) -> Model:
    digest = artifacts.save_folder(base_folder)
    return Models(database).register_base(operator, project.id, "small", digest=digest, parameters=30_000)


@pytest.fixture
def version(database: Database, artifacts: Artifacts, project: Project) -> DatasetVersion:
    train = [*_rows(WORDS[:80], "train"), make_row(f"The cup {LONG} is red.", '{"light": true}')]
    return freeze_rows(database, artifacts, project.id, train, _rows(WORDS[80:], "golden"))


@pytest.fixture
def judged(database: Database, artifacts: Artifacts, project: Project) -> DatasetVersion:
    """Half of the answers were corrected by people, the others confirmed."""
    better = {"original_output": "It is dark.", "output_source": "people", "verified": True, "decided_by": "mia"}
    rows = [make_row(f"The cup {word} is red.", '{"light": true}', **better) for word in WORDS[:40]]
    return freeze_rows(database, artifacts, project.id, rows, _rows(WORDS[80:], "golden"))


def _rows(words: list[str], split: str) -> list[Row]:
    return [make_row(f"The cup {word} is red.", '{"light": true}', split) for word in words]


def context_of(rehearsals: Rehearsals, job: Job, **more: Any) -> JobContext:
    planner = rehearsals.planner
    folder = RunFolder.of(planner.settings.runs, job.id)
    folder.prepare(1)
    stores = {"settings": planner.settings, "database": planner.database, "artifacts": planner.artifacts}
    return JobContext(job.id, 1, job.kind, job.spec, folder.work, **stores, project_id=job.project_id, **more)


def rehearsed(
    rehearsals: Rehearsals, version: DatasetVersion, base: Model, actor: Actor, method: str, **overrides: Any
) -> dict[str, Any]:
    started = rehearsals.start(actor, version.id, base.id, method, overrides=overrides)
    jobs.rehearse(context_of(rehearsals, rehearsals.jobs.get(str(started.job_id))))
    return rehearsals.get(started.id).result


def test_one_batch_is_shown_token_by_token_and_timed(
    rehearsals: Rehearsals, version: DatasetVersion, base: Model, operator: Actor
) -> None:
    started = rehearsals.start(operator, version.id, base.id, overrides={"max_length": 64})
    assert rehearsals.start(operator, version.id, base.id, overrides={"max_length": 64}).id == started.id
    jobs.rehearse(context_of(rehearsals, rehearsals.jobs.get(str(started.job_id))))
    result = rehearsals.get(started.id).result
    first = result["rows"][0]
    learned = "".join(token["text"] for token in first["tokens"] if token["learned"])
    assert learned.rstrip("\n") == '{"light": true}<|im_end|>' and first["learned"] < first["length"]
    assert "<|im_start|>user\nThe cup" in result["rendered"]
    assert result["counts"]["truncated"] == 1 and result["step_s"] > 0 and result["tokens_per_second"] > 0
    assert result["memory_mb"]["activations"] > 0 and result["device"] == "cpu"
    texts = [finding["text"] for finding in result["findings"]]
    assert any("teach nothing" in text for text in texts)
    planned = rehearsals.planner.plan(
        rehearsals.planner.parts(version.id, base.id), "balanced", "sft", {"max_length": 64}
    )
    found = rehearsals.find(version.id, base.id, "sft", planned.named)
    assert found is not None and found.id == started.id


@pytest.mark.parametrize(
    ("method", "parts", "learns"),
    [
        ("dpo", ["better", "worse"], True),
        ("kto", ["wanted"], True),
        pytest.param("orpo", ["better", "worse"], True, marks=once_more),
    ],
)
def test_methods_that_compare_answers_show_which_is_which(
    rehearsals: Rehearsals,
    judged: DatasetVersion,
    base: Model,
    operator: Actor,
    method: str,
    parts: list[str],
    learns: bool,
) -> None:
    result = rehearsed(rehearsals, judged, base, operator, method)
    shown = {row["part"] for row in result["rows"]}
    assert set(parts) <= shown and result["step_s"] > 0
    assert all((0 < row["learned"] < row["length"]) is learns for row in result["rows"])


def test_a_method_that_writes_its_own_answers_shows_prompts_of_which_nothing_is_learned(
    rehearsals: Rehearsals, version: DatasetVersion, base: Model, operator: Actor
) -> None:
    small = {"max_completion_length": 8, "num_generations": 2, "batch_size": 4, "micro_batch": 2}
    result = rehearsed(rehearsals, version, base, operator, "grpo", **small)
    assert result["rows"][0]["learned"] == 0 and result["rendered"].endswith("<|im_start|>assistant\n")


def test_an_answer_that_ends_with_another_token_than_the_server_stops_at_is_told(
    rehearsals: Rehearsals, version: DatasetVersion, base: Model, operator: Actor, base_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(base_folder, tmp_path / "endless")
    settings = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(settings | {"eos_token_id": [0]}))
    digest = rehearsals.planner.artifacts.save_folder(folder)
    other = Models(rehearsals.database).register_base(operator, base.project_id, "endless", digest=digest)
    findings = rehearsed(rehearsals, version, other, operator, "sft", max_length=1024)["findings"]
    assert any("do not end with <|endoftext|>" in finding["text"] for finding in findings)


def test_a_model_that_a_dry_run_finds_too_big_is_not_loaded(
    rehearsals: Rehearsals, version: DatasetVersion, base: Model, operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.train.planning.this_machine", lambda: Machine(1 << 28, 2))
    result = rehearsed(rehearsals, version, base, operator, "sft")
    assert result["rows"] == [] and "step_s" not in result
    assert "was not loaded" in result["findings"][0]["text"]


def test_a_base_that_cannot_be_downloaded_is_a_finding(
    rehearsals: Rehearsals, version: DatasetVersion, project: Project, operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    hub = Models(rehearsals.database).register_hub_base(operator, project.id, "Qwen/Qwen3-0.6B")
    result = rehearsed(rehearsals, version, hub, operator, "sft")
    assert result["findings"][0]["severity"] == "error" and "Qwen/Qwen3-0.6B" in result["findings"][0]["text"]


def test_the_worth_of_labels_is_told_from_nested_runs_that_a_cancel_does_not_lose(
    rehearsals: Rehearsals, version: DatasetVersion, base: Model, operator: Actor
) -> None:
    asked = rehearsals.label_value(operator, version.id, base.id, overrides={"max_steps": 6, "max_length": 64})
    context = context_of(rehearsals, rehearsals.jobs.get(str(asked.job_id)))
    reports: list[tuple[float, str]] = []
    context.on_report = lambda done, text: reports.append((done, text))
    context.stop_asked = lambda: any("part 2 of 3: step 2" in text.lower() for _done, text in reports)
    with pytest.raises(JobCancelled):
        label_jobs.label_value(context)
    assert not rehearsals.get(asked.id).finished_at
    context.stop_asked = lambda: False
    before = len(reports)
    result = label_jobs.label_value(context)
    assert not [text for _done, text in reports[before:] if "part 1 of 3" in text.lower()], "the first part was kept"
    told = rehearsals.label_values(version.id)[0].result
    assert told["sentence"] == result["sentence"] and [point["rows"] for point in told["points"]] == [18, 36, 73]
    assert told["held_out"] == 8 and told["gain"]["low"] <= told["gain"]["mean"] <= told["gain"]["high"]
