"""Commands about training, typed as an operator types them; no worker runs, so nothing is waited for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from storage.tables import DatasetVersion, Model, Project
from studio.access.actor import Actor
from studio.bootstrap import Studio
from studio.cli.training import _values
from studio.errors import Conflict, InvalidInput, NotFound
from tests.fakes.frozen_rows import base_files, freeze_rows, make_row

OPERATOR = Actor.operator()
Type = Callable[..., str]


@pytest.fixture
def version(studio: Studio, project: Project) -> DatasetVersion:
    rows = [make_row(f"ticket {letter}", "billing") for letter in "abcdefghijklmnop"]
    return freeze_rows(studio.database, studio.artifacts, project.id, rows, [], "triage")


@pytest.fixture
def base(studio: Studio, project: Project) -> Model:
    return studio.models.register_base(OPERATOR, project.id, "tiny", digest=base_files(studio.artifacts))


def cancelled_at_once(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody cancels every job as soon as it is asked about."""
    get = studio.jobs.get
    monkeypatch.setattr("studio.jobs.queue.POLL_S", 0.001)

    def cancelled(jobs: object, job_id: str) -> object:
        job = get(job_id)
        return studio.jobs.cancel(OPERATOR, job_id) if job.status == "queued" else job

    monkeypatch.setattr("studio.jobs.queue.Jobs.get", cancelled)


def test_methods_say_what_is_missing(typed: Type, version: DatasetVersion) -> None:
    told = typed("methods", "triage")
    assert "16 rows; SFT wants 100" in told and "0 pairs; DPO wants 200" in told


def test_train_queues_the_run_with_the_values_given(
    typed: Type, studio: Studio, version: DatasetVersion, base: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled_at_once(studio, monkeypatch)
    with pytest.raises(Conflict, match="was cancelled"):
        typed("train", "triage", "tiny", "--set", "learning_rate=1e-4", "--set", "training=dora", "--name", "mine")
    run = studio.training.all(version_project(studio))[0]
    assert (run.name, run.recipe["learning_rate"], run.recipe["use_dora"]) == ("mine", 1e-4, True)


def version_project(studio: Studio) -> str:
    return studio.projects.all()[0].id


def test_a_recipe_that_was_printed_trains_the_same_run(
    typed: Type, studio: Studio, version: DatasetVersion, base: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = studio.training.start(OPERATOR, version.id, base.id)
    file = tmp_path / "recipe.yaml"
    file.write_text(typed("recipe", first.name))
    assert yaml.safe_load(file.read_text()) == first.recipe
    cancelled_at_once(studio, monkeypatch)
    for words in (
        ("train", "triage", "--base", "tiny", "--version", "1", "--recipe", str(file)),
        ("reproduce", first.id),
    ):
        with pytest.raises(Conflict, match="was cancelled"):
            typed(*words)
    assert {run.recipe_digest for run in studio.training.all(version_project(studio))} == {first.recipe_digest}


def test_runs_are_listed_with_their_state(typed: Type, studio: Studio, version: DatasetVersion, base: Model) -> None:
    run = studio.training.start(OPERATOR, version.id, base.id)
    told = typed("runs")
    assert run.name in told and "queued" in told


def test_mistakes_are_told_in_words(typed: Type, version: DatasetVersion, base: Model, tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("learning_rat: 0.1")
    with pytest.raises(InvalidInput, match="learning_rate"):
        typed("train", "triage", "tiny", "--recipe", str(file))
    with pytest.raises(InvalidInput, match="cannot be read"):
        typed("train", "triage", "tiny", "--recipe", str(tmp_path / "none.yaml"))
    with pytest.raises(NotFound, match="no version 9"):
        typed("train", "triage", "tiny", "--version", "9")
    with pytest.raises(NotFound, match="No run named"):
        typed("reproduce", "nothing")
    with pytest.raises(InvalidInput, match="no training value 'lerning_rate'"):
        typed("train", "triage", "tiny", "--set", "lerning_rate=1")


def test_values_are_json_or_else_text() -> None:
    assert _values(["lora_r=8", "training=full", 'rewards=[{"name": "length"}]']) == {
        "lora_r": 8,
        "training": "full",
        "rewards": [{"name": "length"}],
    }
    with pytest.raises(InvalidInput, match="--set name=value"):
        _values(["lora_r"])
