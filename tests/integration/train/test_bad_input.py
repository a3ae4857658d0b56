"""Versions that hold little or odd rows, from the verb to the end of the real job: a clear sentence, or a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from storage.database import Database
from storage.tables import Job, Model, Project, TrainingRun
from studio.access.actor import Actor
from studio.curate.snapshot import Row
from studio.errors import InvalidInput
from studio.jobs.context import JobContext
from studio.jobs.folders import RunFolder
from studio.train import jobs, recipe
from studio.train.models import Models
from studio.train.runs import Training
from tests.fakes.frozen_rows import freeze_rows, make_row
from tests.integration.train.test_chain_jobs import base, training

pytestmark = pytest.mark.slow
__all__ = ["base", "training"]
SHORT = {"max_steps": 2, "batch_size": 2, "micro_batch": 2}
ANSWER = '{"light": true}'
LONG = "the cup is red and " * 2000
Walk = Callable[..., tuple[TrainingRun, Model]]


@pytest.fixture
def walk(training: Training, database: Database, project: Project, base: Model, operator: Actor) -> Walk:
    """Freeze the rows, start a run with them, and carry its job out."""

    def through(rows: list[Row], golden: Sequence[Row] = (), **overrides: Any) -> tuple[TrainingRun, Model]:
        version = freeze_rows(database, training.artifacts, project.id, rows, list(golden))
        run = training.start(operator, version.id, base.id, name="odd", overrides=SHORT | overrides)
        job = training.jobs.get(str(run.job_id))
        folder = RunFolder.of(training.settings.runs, job.id)
        folder.prepare(1)
        stores = {"settings": training.settings, "database": database, "artifacts": training.artifacts}
        context = JobContext(job.id, 1, job.kind, job.spec, folder.work, **stores, project_id=job.project_id)
        made = jobs.train(context)
        assert (folder.work / recipe.EVENTS).exists()
        return training.get(run.id), Models(database).get(made["model_id"])

    return through


def nothing_was_queued(database: Database) -> bool:
    with database.read() as session:
        return not session.query(Job).count() and not session.query(TrainingRun).count()


@pytest.mark.parametrize(
    ("rows", "told"),
    [([], "no row|rows|examples"), ([make_row("The cup is red.", "")], "empty|no row")],
    ids=["an empty version", "only empty answers"],
)
def test_what_cannot_teach_is_refused_before_anything_is_queued(
    walk: Walk, database: Database, rows: list[Row], told: str
) -> None:
    with pytest.raises(InvalidInput, match=told) as raised:
        walk(rows)
    assert raised.value.message.endswith(".") and nothing_was_queued(database)


@pytest.mark.parametrize("count", [1, 2, 9], ids=["one row", "two rows", "nothing held out"])
def test_very_few_rows_train_and_the_card_claims_nothing(walk: Walk, count: int) -> None:
    run, model = walk([make_row(f"The cup {number} is red.", ANSWER) for number in range(count)])
    assert model.kind == "tuned" and model.digest and run.summary["steps"] >= 1
    assert run.card["sentence"] and run.failure == {}
    if not run.summary["target"]["before"]:
        assert "nothing shows what it taught" in run.card["sentence"]
        assert run.card["overfit"]["sentence"] == "Nothing was held out, so overfitting cannot be seen."


def test_prompts_longer_than_the_base_reads_are_refused_before_anything_is_queued(
    walk: Walk, database: Database
) -> None:
    with pytest.raises(InvalidInput, match=r"Every prompt alone fills the .* no answer would be learned"):
        walk([make_row(f"{number} {LONG}", ANSWER) for number in range(4)])
    assert nothing_was_queued(database)


def test_one_prompt_that_is_too_long_costs_that_row_and_no_other(walk: Walk) -> None:
    run, model = walk(
        [make_row(LONG, ANSWER), *(make_row(f"The cup {number} is red.", ANSWER) for number in range(5))],
        [make_row(f"golden {LONG}", ANSWER, "golden")],
    )
    assert run.summary["golden"]["after"]["exact_match"]["mean"] == 0, "it cannot be read, so it counts as wrong"
    assert model.digest and run.summary["loss"] is not None
