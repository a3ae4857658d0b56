"""Estimates against reality, on real rows: grade-school maths problems with worked answers (GSM8K, MIT)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import DatasetVersion, Job, Model, Project
from studio.access.actor import Actor
from studio.jobs.context import JobContext
from studio.jobs.folders import RunFolder
from studio.jobs.queue import Jobs
from studio.settings import Settings
from studio.train import jobs
from studio.train.estimate import check
from studio.train.events import series
from studio.train.rehearse import Rehearsals
from studio.train.rehearse.jobs import rehearse
from studio.train.runs import Training
from tests.fakes.frozen_rows import freeze_rows, make_row

DATA = Path(__file__).parents[4] / "shared" / "data" / "gsm8k_train_3000.jsonl"
ROWS, GOLDEN, STEPS, LONGEST_ANSWER = 160, 4, 4, 110
BASE = {"vocabulary": 768, "hidden": 64, "layers": 2, "steps": 4, "batch": 8, "block": 128}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.exists(), reason="the GSM8K rows are not on this machine"),
]


@pytest.fixture(scope="module")
def problems() -> list[dict[str, str]]:
    every = (json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines())
    return [each for each in every if len(each["answer"]) < LONGEST_ANSWER][: ROWS + GOLDEN]


@pytest.fixture
def training(database: Database, artifacts: Artifacts, settings: Settings) -> Training:
    return Training(database, artifacts, Jobs(database), settings)


@pytest.fixture
def version(
    database: Database, artifacts: Artifacts, project: Project, problems: list[dict[str, str]]
) -> DatasetVersion:
    rows = [(each["question"], each["answer"]) for each in problems]
    train = [make_row(asked, answer) for asked, answer in rows[:ROWS]]
    golden = [make_row(asked, answer, "golden") for asked, answer in rows[ROWS:]]
    return freeze_rows(database, artifacts, project.id, train, golden)


@pytest.fixture
def base(training: Training, project: Project, operator: Actor, problems: list[dict[str, str]]) -> Model:
    marked = "<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\nLet me see.<|im_end|>\n"
    job = training.build_base(operator, project.id, [marked.format(**each) for each in problems], "maths", BASE)
    made = jobs.build_base(context_of(training, job))
    with training.database.read() as session:
        return session.get_one(Model, made["model_id"])


def context_of(training: Training, job: Job) -> JobContext:
    folder = RunFolder.of(training.settings.runs, job.id)
    folder.prepare(1)
    stores = {"settings": training.settings, "database": training.database, "artifacts": training.artifacts}
    return JobContext(job.id, 1, job.kind, job.spec, folder.work, **stores, project_id=job.project_id)


def test_on_real_rows_the_loss_falls_and_rehearsed_estimates_hold(
    training: Training, version: DatasetVersion, base: Model, operator: Actor
) -> None:
    chosen = {"max_steps": STEPS}
    guessed = training.plan(version.id, base.id, overrides=chosen).estimate
    rehearsals = Rehearsals(training.database, training.artifacts, training.jobs, training.settings)
    tried = rehearsals.start(operator, version.id, base.id, overrides=chosen)
    rehearse(context_of(training, training.jobs.get(str(tried.job_id))))
    rehearsed = training.plan(version.id, base.id, overrides=chosen).estimate
    assert (guessed.source, rehearsed.source) == ("arithmetic", "rehearsal")

    run = training.start(operator, version.id, base.id, overrides=chosen)
    context = context_of(training, training.jobs.get(str(run.job_id)))
    summary = jobs.train(context)
    losses = [loss for _step, loss in series(training.events(run)[0], "loss")]
    assert losses[-1] < losses[0]
    found = check(training.get(run.id).plan, summary)
    assert abs(found["tokens_error"]) <= 0.15 and found["time_measured"] > 0
    assert -0.4 <= found["memory_error"] <= 0.15, "the tests' own process holds more than a run's"
    if found["time_measured"] < 8:  # nobody else keeps the processor busy
        assert 0.3 <= found["time_expected"] / found["time_measured"] <= 3
    assert rehearsed.training_seconds != guessed.training_seconds
