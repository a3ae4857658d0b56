from __future__ import annotations

from typing import Any

import pytest

from storage.tables import DatasetVersion, Job, Model, TrainingRun
from studio.access.actor import Actor
from studio.errors import Conflict, InvalidInput, NotAllowed, NotFound
from studio.train.failures import diagnose
from studio.train.remedies import Remedies
from studio.train.runs import Training


@pytest.fixture
def remedies(training: Training) -> Remedies:
    return Remedies(training.database, training.jobs, training)


@pytest.fixture
def run(training: Training, operator: Actor, version: DatasetVersion, base: Model) -> TrainingRun:
    return training.start(operator, version.id, base.id, overrides={"learning_rate": 0.02, "max_steps": 5})


def fail(training: Training, run: TrainingRun, error: str, **kept: Any) -> None:
    """End the run's job as failed, with this sentence."""
    with training.database.write() as session:
        job = session.get_one(Job, run.job_id)
        job.status, job.error = "failed", error
        stored = session.get_one(TrainingRun, run.id)
        for name, value in kept.items():
            setattr(stored, name, value)


def test_one_click_starts_a_new_run_with_the_fix_and_everything_else_as_it_was(
    remedies: Remedies, training: Training, run: TrainingRun, operator: Actor
) -> None:
    told = diagnose("Diverged: x", [{"kind": "nan", "step": 3, "last_good": 0}], "", run.plan)
    fail(training, run, "x", failure=told)
    assert remedies.failure(run.id)["rule"] == "not_a_number"
    mended = remedies.apply(operator, run.id)
    assert mended.id != run.id and mended.parent_run_id == run.id
    assert mended.recipe["learning_rate"] == pytest.approx(0.002) and mended.recipe["max_steps"] == 5
    assert {**mended.recipe, "learning_rate": 0} == {**run.recipe, "learning_rate": 0}


def test_a_run_that_was_killed_without_a_word_is_explained_from_its_job(
    remedies: Remedies, training: Training, run: TrainingRun, operator: Actor
) -> None:
    fail(training, run, "The job was interrupted 4 times, the last time killed by signal 9, perhaps out of memory.")
    assert remedies.failure(run.id)["rule"] == "killed"
    mended = remedies.apply(operator, run.id)
    rows = mended.recipe["per_device_train_batch_size"]
    assert rows == run.recipe["per_device_train_batch_size"] // 2
    assert rows * mended.recipe["gradient_accumulation_steps"] == (
        run.recipe["per_device_train_batch_size"] * run.recipe["gradient_accumulation_steps"]
    )


def test_a_full_disk_is_gone_on_from_in_the_same_run(
    remedies: Remedies, training: Training, run: TrainingRun, operator: Actor
) -> None:
    fail(training, run, "The disk is full. Free some space.", failure=diagnose("StorageFull: x", [], "", {}))
    assert remedies.apply(operator, run.id).id == run.id
    assert training.jobs.get(str(run.job_id)).status == "queued"


def test_what_only_a_person_can_mend_says_so(
    remedies: Remedies, training: Training, run: TrainingRun, operator: Actor
) -> None:
    fail(training, run, "x", failure=diagnose("ValueError: tokenizer.chat_template is not set", [], "", {}))
    with pytest.raises(InvalidInput, match="instruction-tuned"):
        remedies.apply(operator, run.id)


def test_a_finished_run_offers_what_its_card_found(
    remedies: Remedies, training: Training, run: TrainingRun, operator: Actor
) -> None:
    with pytest.raises(Conflict, match="nothing to mend"):
        remedies.apply(operator, run.id)
    fix = {"label": "x", "overrides": {"num_train_epochs": 1.5}, "resume": False, "page": ""}
    with training.database.write() as session:
        session.get_one(TrainingRun, run.id).card = {"forgot": {"verdict": True, "fix": fix}, "warnings": []}
    assert list(remedies.fixes(run.id)) == ["forgot"]
    assert remedies.apply(operator, run.id, "forgot").recipe["num_train_epochs"] == 1.5
    with pytest.raises(NotFound):
        remedies.apply(operator, run.id, "loss_stuck")


def test_a_viewer_mends_nothing(remedies: Remedies, training: Training, run: TrainingRun, viewer: Actor) -> None:
    fail(training, run, "killed by signal 9")
    with pytest.raises(NotAllowed):
        remedies.apply(viewer, run.id)
