"""Chains, recipes as runs, reproduction, clones: what is queued and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import DatasetVersion, Model, Project, Provider, TrainingRun
from studio.access.actor import Actor
from studio.errors import Conflict, InvalidInput, NotFound
from studio.train.runs import Training
from tests.fakes.frozen_rows import base_files, make_row
from tests.unit.train.conftest import WORDS

Freeze = Callable[..., DatasetVersion]


@pytest.fixture
def preferred(freeze: Freeze) -> DatasetVersion:
    """A version whose every row was corrected: pairs and judged answers in plenty."""
    told: dict[str, Any] = {"original_output": "no", "output_source": "people", "verified": True}
    rows = [make_row(f"ticket {word} number {word}", f"answer {word}", **told) for word in WORDS[:200]]
    return freeze(rows, [], "corrected")


def registered(training: Training, project: Project, kind: str, digest: str = "") -> Model:
    with training.database.write() as session:
        model = Model(project_id=project.id, name=f"a {kind}", kind=kind, digest=digest)
        if kind == "provider":
            there = Provider(project_id=project.id, name="big", base_url="http://127.0.0.1:9/v1")
            session.add(there)
            session.flush()
            model.provider_id = there.id
        session.add(model)
    return model


def test_a_chain_is_two_runs_of_which_the_second_waits(
    training: Training, preferred: DatasetVersion, base: Model, operator: Actor
) -> None:
    first = training.start(operator, preferred.id, base.id, then="dpo", name="polite", priority=3, tags=["trial"])
    (second,) = training.chain_of(first.id)
    assert (first.name, second.name, second.method, second.after_run_id) == ("polite", "polite-dpo", "dpo", first.id)
    job = training.jobs.get(str(second.job_id))
    assert (job.after_job_id, job.priority, second.tags) == (first.job_id, 3, ["trial"])
    assert second.base_model_id == base.id, "until the first run has made its model"


def test_nothing_is_queued_when_the_second_half_of_a_chain_is_impossible(
    training: Training, version: DatasetVersion, preferred: DatasetVersion, base: Model, operator: Actor
) -> None:
    with pytest.raises(InvalidInput, match="DPO wants 200"):
        training.start(operator, version.id, base.id, then="dpo")
    with pytest.raises(InvalidInput, match="reward model judges"):
        training.start(operator, preferred.id, base.id, method="reward", then="dpo")
    assert training.all(base.project_id) == [] and training.jobs.active(base.project_id) == []


def test_a_run_may_wait_for_the_night(
    training: Training, version: DatasetVersion, base: Model, operator: Actor
) -> None:
    tonight = datetime.now(UTC) + timedelta(hours=6)
    run = training.start(operator, version.id, base.id, not_before=tonight)
    assert training.jobs.get(str(run.job_id)).not_before == tonight


@pytest.mark.parametrize("method", ["dpo", "ipo", "kto", "orpo", "cpo", "simpo", "reward", "grpo"])
def test_every_method_is_planned_and_started_with_its_own_data(
    training: Training, preferred: DatasetVersion, base: Model, operator: Actor, method: str
) -> None:
    run = training.start(operator, preferred.id, base.id, method=method)
    assert (run.method, run.studio["method"], run.preset) == (method, method, "balanced")
    assert run.plan["sentence"].endswith(".") and run.plan["estimate"]["tokens"] > 0
    assert {"name", "label", "value", "reason", "source"} == run.plan["values"][0].keys()


def test_a_method_without_its_data_says_what_is_missing(
    training: Training, version: DatasetVersion, base: Model
) -> None:
    with pytest.raises(InvalidInput, match=r"0 pairs; DPO wants 200: .* on Label"):
        training.plan(version.id, base.id, method="dpo")


def test_equal_runs_have_equal_digests_and_anything_else_does_not(
    training: Training, version: DatasetVersion, preferred: DatasetVersion, base: Model, operator: Actor
) -> None:
    def digest(version_id: str = version.id, **overrides: Any) -> str:
        return training.start(operator, version_id, base.id, overrides=overrides).recipe_digest

    assert digest() == digest()
    assert len({digest(), digest(seed=1), digest(patience=9), digest(preferred.id)}) == 4


def test_a_run_is_reproduced_with_recipe_version_base_and_seed(
    training: Training, version: DatasetVersion, base: Model, operator: Actor
) -> None:
    first = training.start(operator, version.id, base.id, overrides={"seed": 7, "max_steps": 5})
    again = training.reproduce(operator, first.id)
    assert again.recipe_digest == first.recipe_digest and again.id != first.id
    assert (again.recipe, again.studio, again.seed) == (first.recipe, first.studio, 7)
    assert (again.parent_run_id, again.name) == (first.id, f"{first.name}-again")


def test_the_waiting_half_of_a_chain_cannot_be_reproduced_yet(
    training: Training, preferred: DatasetVersion, base: Model, operator: Actor
) -> None:
    first = training.start(operator, preferred.id, base.id, then="kto")
    with pytest.raises(Conflict, match="waits for the run before it"):
        training.reproduce(operator, training.chain_of(first.id)[0].id)


def test_a_recipe_starts_the_same_run_as_the_button(
    training: Training, preferred: DatasetVersion, base: Model, operator: Actor
) -> None:
    pressed = training.start(operator, preferred.id, base.id, method="dpo", overrides={"beta": 0.3})
    text = training.recipe_text(pressed)
    typed = training.start_recipe(operator, base.project_id, preferred.id, base.id, text, name="typed")
    assert (typed.recipe_digest, typed.method, typed.name) == (pressed.recipe_digest, "dpo", "typed")


def test_a_recipe_with_an_unknown_key_starts_nothing(
    training: Training, version: DatasetVersion, base: Model, operator: Actor
) -> None:
    with pytest.raises(InvalidInput, match="Did you mean 'learning_rate'"):
        training.start_recipe(operator, base.project_id, version.id, base.id, "learning_rte: 0.1")
    assert training.all(base.project_id) == []


def test_a_run_s_values_give_the_same_run_again(
    training: Training, preferred: DatasetVersion, base: Model, operator: Actor
) -> None:
    for method, given in (("sft", {"training": "dora", "lora_target_modules": "attention"}), ("kto", {}), ("grpo", {})):
        first = training.start(operator, preferred.id, base.id, method=method, overrides=given)
        clone = training.start(operator, preferred.id, base.id, method=method, overrides=training.values_of(first))
        assert clone.recipe == first.recipe and clone.recipe_digest == first.recipe_digest, method


def test_training_goes_on_from_a_tuned_model(
    training: Training, preferred: DatasetVersion, project: Project, operator: Actor, artifacts: Artifacts
) -> None:
    tuned = registered(training, project, "tuned", base_files(artifacts))
    plan = training.plan(preferred.id, tuned.id, method="dpo")
    assert plan.situation.tuned_before and plan.caution == ""
    assert training.start(operator, preferred.id, tuned.id, method="dpo").base_model_id == tuned.id


def test_a_preference_method_on_a_fresh_base_is_cautioned(
    training: Training, preferred: DatasetVersion, base: Model
) -> None:
    assert "already learned the answers" in training.plan(preferred.id, base.id, method="dpo").caution


@pytest.mark.parametrize(("kind", "says"), [("provider", "answers from a provider"), ("reward", "judges answers")])
def test_what_cannot_learn_is_refused_as_a_base(
    training: Training, version: DatasetVersion, project: Project, kind: str, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        training.plan(version.id, registered(training, project, kind).id)


def test_an_unknown_base_is_not_found(training: Training, version: DatasetVersion) -> None:
    with pytest.raises(NotFound, match="no longer exists"):
        training.plan(version.id, "nothing")


def test_a_base_of_another_project_is_refused(training: Training, version: DatasetVersion, database: Database) -> None:
    with database.write() as session:
        other = Project(name="other")
        session.add(other)
        session.flush()
        stranger = Model(project_id=other.id, name="stranger", kind="base", digest="0" * 64)
        session.add(stranger)
    with pytest.raises(InvalidInput, match="another project"):
        training.plan(version.id, stranger.id)


def test_an_empty_version_says_where_rows_are_made(
    training: Training, freeze: Freeze, base: Model, operator: Actor
) -> None:
    with pytest.raises(InvalidInput, match="0 rows; SFT wants 100: add examples"):
        training.start(operator, freeze([], []).id, base.id)


def test_one_row_is_enough_to_start_and_warned_about(
    training: Training, freeze: Freeze, base: Model, operator: Actor
) -> None:
    single = freeze([make_row("only one", "yes")], [])
    assert training.start(operator, single.id, base.id).recipe["eval_strategy"] == "no"
    assert any("Only 1 row" in finding.text for finding in training.planned(single.id, base.id)[1])


def test_rows_longer_than_the_model_reads_are_told(training: Training, freeze: Freeze, base: Model) -> None:
    endless = freeze([make_row(f"{word} " * 3000, "yes") for word in WORDS[:20]], [])
    assert training.plan(endless.id, base.id).value("max_length") == 1024
    told = " ".join(finding.text for finding in training.planned(endless.id, base.id)[1])
    assert "would be cut" in told or "no answer would be learned" in told


def test_distillation_needs_a_teacher_of_the_project(
    training: Training, preferred: DatasetVersion, base: Model, project: Project, operator: Actor
) -> None:
    with pytest.raises(InvalidInput, match="Settings, Providers"):
        training.start(operator, preferred.id, base.id, method="distil")
    teacher = registered(training, project, "provider")
    run = training.start(operator, preferred.id, base.id, method="distil")
    assert run.studio["teacher_model_id"] == teacher.id, "the only one is chosen by itself"
    with pytest.raises(InvalidInput, match="teacher"):
        training.start(operator, preferred.id, base.id, method="distil", overrides={"teacher_model_id": base.id})
    with pytest.raises(InvalidInput, match="teacher"):
        text = f"studio: {{method: distil, teacher_model_id: {base.id}}}\nseed: 1"
        training.start_recipe(operator, base.project_id, preferred.id, base.id, text)


def test_what_must_not_be_forgotten_is_another_version_of_the_project(
    training: Training, version: DatasetVersion, preferred: DatasetVersion, base: Model, operator: Actor
) -> None:
    run = training.start(operator, preferred.id, base.id, overrides={"keep_version_id": version.id})
    assert run.studio["keep_version_id"] == version.id
    with pytest.raises(NotFound, match="version"):
        training.start(operator, preferred.id, base.id, overrides={"keep_version_id": "none"})
    with pytest.raises(NotFound, match="version"):
        training.start_recipe(
            operator, base.project_id, preferred.id, base.id, "studio: {keep_version_id: none}\nseed: 1"
        )


def test_a_run_remembers_where_it_came_from(
    training: Training, version: DatasetVersion, base: Model, operator: Actor, database: Database
) -> None:
    run = training.start(operator, version.id, base.id, parent_run_id="x" * 20, sweep_id="s" * 20)
    with database.read() as session:
        stored = session.get_one(TrainingRun, run.id)
    assert (stored.parent_run_id, stored.sweep_id, stored.runner) == ("x" * 20, "s" * 20, "local")
