from __future__ import annotations

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
from studio.train.models import Models
from studio.train.rehearse import Rehearsals, jobs, label_jobs
from tests.fakes.frozen_rows import freeze_rows, make_row

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


def _rows(words: list[str], split: str) -> list[Row]:
    return [make_row(f"The cup {word} is red.", '{"light": true}', split) for word in words]


def context_of(rehearsals: Rehearsals, job: Job, **more: Any) -> JobContext:
    planner = rehearsals.planner
    folder = RunFolder.of(planner.settings.runs, job.id)
    folder.prepare(1)
    stores = {"settings": planner.settings, "database": planner.database, "artifacts": planner.artifacts}
    return JobContext(job.id, 1, job.kind, job.spec, folder.work, **stores, project_id=job.project_id, **more)


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
