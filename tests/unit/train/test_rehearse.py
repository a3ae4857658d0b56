from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import DatasetVersion, Model, TrainingRun
from storage.types import now
from studio.access.actor import Actor
from studio.errors import InvalidInput, NotAllowed, NotFound
from studio.jobs.queue import Jobs
from studio.settings import Settings
from studio.train.advice import make_plan
from studio.train.lengths import Lengths
from studio.train.machine import GIB, Machine
from studio.train.plan import Plan, Situation
from studio.train.rehearse import Rehearsals
from studio.train.rehearse.findings import findings_of, too_big
from studio.train.rehearse.layout import MICRO_STEPS, rehearsed
from studio.train.rehearse.sizes import nested, sample
from studio.train.shape import ModelShape
from tests.fakes.frozen_rows import TINY_CONFIG, make_row

SITUATION = Situation(
    ModelShape.of_config(TINY_CONFIG), "tiny", 100, 10, Lengths((60, 300), exact=True), Machine(24 * GIB, 2)
)
COUNTS = {"rows": 10, "truncated": 0, "fully_masked": 0, "dropped": 0}


@pytest.fixture
def rehearsals(database: Database, artifacts: Artifacts, settings: Settings) -> Rehearsals:
    return Rehearsals(database, artifacts, Jobs(database), settings)


def finish(rehearsals: Rehearsals, rehearsal_id: str, **result: Any) -> None:
    with rehearsals.database.write() as session:
        stored = session.get_one(type(rehearsals.get(rehearsal_id)), rehearsal_id)
        stored.result, stored.finished_at = result, now()


def plan_of(rehearsals: Rehearsals, version: DatasetVersion, base: Model, **overrides: Any) -> Plan:
    return rehearsals.planner.plan(rehearsals.planner.parts(version.id, base.id), "balanced", "sft", overrides)


def test_the_same_batch_is_rehearsed_once_at_a_time_and_found_again(
    rehearsals: Rehearsals, version: DatasetVersion, base: Model, operator: Actor
) -> None:
    first = rehearsals.start(operator, version.id, base.id)
    assert rehearsals.start(operator, version.id, base.id, preset="best").id == first.id, "the same batch"
    assert rehearsals.start(operator, version.id, base.id, overrides={"training": "full"}).id != first.id
    assert rehearsals.jobs.get(str(first.job_id)).kind == "rehearse"
    values = plan_of(rehearsals, version, base, learning_rate=1e-4).named
    assert rehearsals.find(version.id, base.id, "sft", values) is None
    finish(rehearsals, first.id, rows=[])
    found = rehearsals.find(version.id, base.id, "sft", values)
    assert found is not None and found.id == first.id
    assert rehearsals.start(operator, version.id, base.id).id != first.id, "asked again, it is done again"


def test_a_rehearsal_whose_job_was_cancelled_does_not_stand_in_the_way(
    rehearsals: Rehearsals, version: DatasetVersion, base: Model, operator: Actor
) -> None:
    first = rehearsals.start(operator, version.id, base.id)
    rehearsals.jobs.cancel(operator, str(first.job_id))
    assert rehearsals.start(operator, version.id, base.id).id != first.id


def test_the_plan_takes_the_speed_that_was_rehearsed_for_this_way_of_training(
    rehearsals: Rehearsals, version: DatasetVersion, base: Model, operator: Actor
) -> None:
    started = rehearsals.start(operator, version.id, base.id)
    values = {"training": "lora"}
    finish(rehearsals, started.id, device="cpu", tokens_per_second=1234.0, write_step_s=0.01, values=values)
    estimate = plan_of(rehearsals, version, base).estimate
    assert (estimate.tokens_per_second, estimate.source) == (1234.0, "rehearsal")
    assert plan_of(rehearsals, version, base, training="full").estimate.source == "arithmetic"
    with rehearsals.database.write() as session:
        facts = {"project_id": started.project_id, "dataset_version_id": version.id, "base_model_id": base.id}
        summary = {"device": "cpu", "tokens_per_second": 900}
        session.add(TrainingRun(name="r", recipe={"use_peft": False}, summary=summary, finished_at=now(), **facts))
    full = plan_of(rehearsals, version, base, training="full").estimate
    assert (full.tokens_per_second, full.source) == (900.0, "earlier run")


def test_a_price_per_hour_gives_the_plan_a_cost(rehearsals: Rehearsals, version: DatasetVersion, base: Model) -> None:
    assert plan_of(rehearsals, version, base).estimate.cost_usd is None
    rehearsals.planner.settings = rehearsals.planner.settings.model_copy(update={"price_per_hour": 3600.0})
    estimate = plan_of(rehearsals, version, base).estimate
    assert estimate.cost_usd == pytest.approx(estimate.seconds, rel=0.01)


def test_labels_are_worth_asking_about_when_there_are_rows_to_tell_from(
    rehearsals: Rehearsals, version: DatasetVersion, base: Model, operator: Actor
) -> None:
    made = rehearsals.label_value(operator, version.id, base.id)
    assert (made.kind, rehearsals.jobs.get(str(made.job_id)).kind) == ("labels", "label_value")
    assert [each.id for each in rehearsals.label_values(version.id)] == [made.id]


def test_two_rows_tell_nothing_about_the_next_ones(
    rehearsals: Rehearsals, freeze: Callable[..., DatasetVersion], base: Model, operator: Actor
) -> None:
    few = freeze([make_row("a ticket"), make_row("another one")], [])
    with pytest.raises(InvalidInput, match="this version has 2"):
        rehearsals.label_value(operator, few.id, base.id)


def test_a_viewer_may_not_rehearse_and_an_unknown_rehearsal_is_said(
    rehearsals: Rehearsals, version: DatasetVersion, base: Model, viewer: Actor
) -> None:
    with pytest.raises(NotAllowed):
        rehearsals.start(viewer, version.id, base.id)
    with pytest.raises(NotFound):
        rehearsals.get("nobody")


def test_a_rehearsal_s_recipe_is_the_run_s_without_evaluations_and_checkpoints() -> None:
    plan = make_plan(SITUATION)
    found = rehearsed(plan.recipe(), plan.studio())
    assert found["max_steps"] == MICRO_STEPS and found["save_strategy"] == "no" and "eval_steps" not in found
    assert found["per_device_train_batch_size"] == plan.recipe()["per_device_train_batch_size"]
    practising = make_plan(SITUATION, "balanced", "grpo")
    kept = rehearsed(practising.recipe(), practising.studio())
    assert kept["gradient_accumulation_steps"] == practising.recipe()["gradient_accumulation_steps"]


def test_a_sample_is_even_and_has_the_longest_rows() -> None:
    lines = [{"text": "x" * (500 if place == 777 else 5)} for place in range(1000)]
    chosen = sample(lines)
    assert len(chosen) <= 128 and lines[777] in chosen and chosen[0] is lines[0]
    assert sample(lines[:50]) == lines[:50]
    assert nested(lines, 0.25) == nested(lines, 0.5)[:250]


@pytest.mark.parametrize(
    ("found", "words", "overrides"),
    [
        ({"counts": COUNTS | {"truncated": 3}}, "3 of 10 rows are cut", {"max_length": 384}),
        ({"counts": COUNTS | {"truncated": 2, "fully_masked": 2, "dropped": 2}}, "without a word", {"max_length": 384}),
        ({"counts": COUNTS, "finite": False}, "not a number", {"learning_rate": 1e-3}),
        ({"counts": COUNTS, "out_of_memory": True}, "Memory ran out", {"micro_batch": 8}),
        ({"counts": COUNTS, "unended": 4, "ends_matter": True, "stops": ["</s>"]}, "do not end with </s>", {}),
        ({"counts": COUNTS, "nothing_learned": 2}, "no token that is learned", {}),
    ],
)
def test_what_the_trainer_showed_is_said_with_its_cure(
    found: dict[str, Any], words: str, overrides: dict[str, Any]
) -> None:
    plan = make_plan(SITUATION, overrides={"max_length": 128})
    (finding,) = findings_of(found, plan)
    assert words in finding.sentence and finding.overrides == overrides


def test_rows_in_which_everything_is_learned_are_told() -> None:
    rows = [{"length": 20, "learned": 20, "part": ""}]
    (finding,) = findings_of({"counts": COUNTS, "rows": rows, "ends_matter": True}, make_plan(SITUATION))
    assert "Every token is learned" in finding.text


def test_all_rows_lost_is_an_error_and_so_is_a_model_that_cannot_fit() -> None:
    plan = make_plan(SITUATION, overrides={"max_length": 128})
    lost = {"counts": COUNTS | {"truncated": 10, "fully_masked": 10, "dropped": 10}}
    assert findings_of(lost, plan)[0].severity == "error"
    small = make_plan(replace(SITUATION, machine=Machine(GIB, 2)))
    finding = too_big(9 * GIB, small)
    assert finding.severity == "error" and "9.0 GiB" in finding.text and "was not loaded" in finding.text
