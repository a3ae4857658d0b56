"""Clone and tweak, sweeps, notes and tags, on a frozen version and a tiny base."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from storage.database import Database
from storage.tables import DatasetVersion, Job, Model, TrainingRun
from storage.types import now
from studio.access.actor import Actor
from studio.access.projects import Projects
from studio.errors import InvalidInput, NotAllowed, NotFound
from studio.jobs.folders import RunFolder
from studio.settings import Settings
from studio.train.experiments import Experiments
from studio.train.runs import Training


@pytest.fixture
def experiments(database: Database, training: Training, settings: Settings) -> Experiments:
    return Experiments(database, training, settings)


@pytest.fixture
def run(training: Training, version: DatasetVersion, base: Model, editor: Actor) -> TrainingRun:
    return training.start(editor, version.id, base.id, overrides={"lora_r": 4, "max_steps": 9}, tags=["first"])


def test_a_clone_keeps_every_value_but_the_ones_named(
    experiments: Experiments, run: TrainingRun, editor: Actor
) -> None:
    clone = experiments.clone(editor, run.id, {"learning_rate": 0.5})
    assert clone.recipe == run.recipe | {"learning_rate": 0.5} and clone.studio == run.studio
    assert (clone.parent_run_id, clone.tags, clone.method) == (run.id, ["first"], run.method)
    assert clone.name == f"{run.name}-2" and experiments.clone(editor, run.id, {}, name="same").name == "same"
    with pytest.raises(InvalidInput):
        experiments.clone(editor, run.id, {"learning_rate": "fast"})


def test_a_sweep_is_every_combination_named_by_what_differs(
    experiments: Experiments, version: DatasetVersion, base: Model, editor: Actor, training: Training
) -> None:
    grid = {"learning_rate": [1e-2, 1e-3], "lora_r": [4, 8], "seed": [7]}
    tonight = now() + timedelta(hours=3)
    runs = experiments.sweep(
        editor, version.id, base.id, grid, overrides={"max_steps": 5}, name="try", not_before=tonight, tags=["s"]
    )
    assert [run.name for run in runs] == [
        "try-learning_rate=0.01-lora_r=4",
        "try-learning_rate=0.01-lora_r=8",
        "try-learning_rate=0.001-lora_r=4",
        "try-learning_rate=0.001-lora_r=8",
    ]
    assert {(run.recipe["max_steps"], run.seed, *run.tags) for run in runs} == {(5, 7, "s")}
    assert len({run.sweep_id for run in runs}) == 1
    queue = training.jobs.queue(base.project_id)
    assert [job.id for job in queue] == [run.job_id for run in runs]
    assert {job.not_before for job in queue} == {tonight}


def test_a_sweep_tells_what_it_will_take_before_it_starts(
    experiments: Experiments, version: DatasetVersion, base: Model, training: Training
) -> None:
    planned = experiments.plan_sweep(version.id, base.id, {"max_steps": [10, 20]})
    assert [run.label for run in planned.runs] == ["max_steps=10", "max_steps=20"]
    assert planned.seconds == sum(run.plan.estimate.seconds for run in planned.runs) > 0
    assert planned.sentence.startswith("2 runs, about ") and planned.cost_usd is None and planned.too_big == ()
    assert training.all(base.project_id) == []


@pytest.mark.parametrize(
    ("grid", "why"),
    [
        ({}, "one to 3 settings"),
        ({"seed": [1, 2], "lora_r": [1], "max_steps": [1], "learning_rate": [1.0]}, "one to 3 settings"),
        ({"seed": list(range(13))}, "2 to 12 runs; this would be 13"),
        ({"seed": [1, 1]}, "2 to 12 runs; this would be 1"),
        ({"seed": []}, "at least one value"),
        ({"lora_r": [4, "big"]}, "lora_r"),
        ({"no_such_value": [1, 2]}, "no_such_value"),
    ],
)
def test_a_sweep_that_makes_no_sense_starts_nothing(
    experiments: Experiments,
    version: DatasetVersion,
    base: Model,
    operator: Actor,
    training: Training,
    grid: dict[str, list[object]],
    why: str,
) -> None:
    with pytest.raises(InvalidInput, match=why):
        experiments.sweep(operator, version.id, base.id, grid)
    assert training.all(base.project_id) == []


def test_a_sweep_that_is_refused_half_way_takes_back_what_it_started(
    experiments: Experiments,
    version: DatasetVersion,
    base: Model,
    editor: Actor,
    training: Training,
    database: Database,
) -> None:
    class Revoked(Training):
        def start(self, *parts: object, **more: object) -> TrainingRun:  # type: ignore[override]
            if self.all(base.project_id):
                raise NotAllowed()
            return super().start(*parts, **more)  # type: ignore[arg-type]

    half = Experiments(
        database, Revoked(database, training.artifacts, training.jobs, training.settings), training.settings
    )
    with pytest.raises(NotAllowed):
        half.sweep(editor, version.id, base.id, {"seed": [1, 2]})
    assert [job.status for job in training.jobs.recent(base.project_id)] == ["cancelled"]


def test_runs_of_two_projects_are_not_compared(
    experiments: Experiments, run: TrainingRun, operator: Actor, database: Database
) -> None:
    elsewhere = Projects(database).create(operator, "Elsewhere")
    with database.write() as session:
        other = TrainingRun(**{**run.model_dump(), "id": "other", "project_id": elsewhere.id, "job_id": None})
        session.add(other)
    with pytest.raises(InvalidInput, match="different projects"):
        experiments.compare([run.id, "other"])


def test_notes_and_tags_stay_with_the_run(
    experiments: Experiments, run: TrainingRun, editor: Actor, viewer: Actor, training: Training
) -> None:
    experiments.note(editor, run.id, " Best so far. ")
    experiments.tag(editor, run.id, ["keep", "  for  the demo ", "keep", " "])
    found = training.get(run.id)
    assert (found.note, found.tags) == ("Best so far.", ["keep", "for the demo"])
    for change in (lambda: experiments.note(viewer, run.id, "x"), lambda: experiments.tag(viewer, run.id, [])):
        with pytest.raises(NotAllowed):
            change()
    with pytest.raises(InvalidInput, match="up to 20 tags"):
        experiments.tag(editor, run.id, ["x" * 41])
    with pytest.raises(InvalidInput, match="10,001"):
        experiments.note(editor, run.id, "x" * 10_001)
    with pytest.raises(NotFound):
        experiments.note(editor, "missing", "x")


def test_a_comparison_shows_what_differs_the_curves_and_what_came_of_each(
    experiments: Experiments, run: TrainingRun, editor: Actor, database: Database, settings: Settings
) -> None:
    other = experiments.clone(editor, run.id, {"learning_rate": 0.5}, name="faster")
    _ended(database, run, {"exact": {"mean": 0.8, "low": 0.7, "high": 0.86, "n": 60}})
    _ended(database, other, {"exact": {"mean": 0.95, "low": 0.9, "high": 0.98, "n": 60}})
    for each, losses in ((run, [3.0, 2.0]), (other, [2.5, 1.0])):
        _logged(settings, each, losses)
    compared = experiments.compare([run.id, other.id, run.id])
    (difference,) = compared.differences
    assert (difference.name, difference.label) == ("learning_rate", "Learning rate")
    assert difference.values[other.id] == 0.5
    assert compared.curves("loss", "step") == {run.id: [(1, 3.0), (2, 2.0)], other.id: [(1, 2.5), (2, 1.0)]}
    assert compared.curves("loss", "tokens")[run.id] == [(100, 3.0), (200, 2.0)]
    assert compared.curves("loss", "seconds")[run.id] == [(5, 3.0), (10, 2.0)]
    assert compared.metrics == ["loss", "num_tokens"] and compared.curves("reward") == {}
    assert [(out.name, out.status, out.golden["exact"]["mean"]) for out in compared.outcomes] == [
        (run.name, "succeeded", 0.8),
        ("faster", "succeeded", 0.95),
    ]
    assert compared.sentence == f"“faster” is ahead of “{run.name}”: 95.0% against 80.0% on golden rows."


def test_intervals_that_overlap_are_too_close_to_call(
    experiments: Experiments, run: TrainingRun, editor: Actor, database: Database
) -> None:
    other = experiments.clone(editor, run.id, {}, name="again")
    assert "Fewer than two" in experiments.compare([run.id, other.id]).sentence
    _ended(database, run, {"exact": {"mean": 0.8, "low": 0.6, "high": 0.9, "n": 20}})
    _ended(database, other, {"exact": {"mean": 0.9, "low": 0.7, "high": 0.95, "n": 20}})
    assert experiments.compare([run.id, other.id]).sentence.endswith("too close to call.")
    with pytest.raises(InvalidInput, match="up to 12"):
        experiments.compare([])


def test_the_whole_log_of_a_run_is_handed_out(experiments: Experiments, run: TrainingRun, settings: Settings) -> None:
    folder = RunFolder.of(settings.runs, str(run.job_id))
    for attempt in (1, 2):
        folder.prepare(attempt)
        (folder.attempt(attempt) / "log.txt").write_text(f"line {attempt}\n")
    assert experiments.full_log(run).decode() == "=== attempt 1 ===\nline 1\n=== attempt 2 ===\nline 2\n"


def _ended(database: Database, run: TrainingRun, golden: dict[str, dict[str, float]]) -> None:
    with database.write() as session:
        stored = session.get_one(TrainingRun, run.id)
        stored.summary = {"loss": 0.1, "golden": {"before": {}, "after": golden}}
        session.get_one(Job, run.job_id).status = "succeeded"


def _logged(settings: Settings, run: TrainingRun, losses: list[float]) -> None:
    path = Path(settings.runs) / str(run.job_id) / "work" / "events.jsonl"
    path.parent.mkdir(parents=True)
    events: list[dict[str, object]] = [{"at": 1000.0, "kind": "train_begin", "max_steps": 2, "resumed_at": 0}]
    for step, loss in enumerate(losses, 1):
        events.append({"at": 1000.0 + 5 * step, "kind": "log", "step": step, "loss": loss, "num_tokens": 100 * step})
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
