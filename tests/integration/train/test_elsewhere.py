"""The real trainer at other places: through Ray's API, and as two processes of one machine."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import DatasetVersion, Model, Project, TrainingRun
from studio.access.actor import Actor
from studio.access.secrets import SecretBox
from studio.jobs.context import JobCancelled, JobContext
from studio.jobs.folders import RunFolder
from studio.jobs.queue import Jobs
from studio.settings import Settings
from studio.train import jobs
from studio.train.events import series, tail
from studio.train.models import Models
from studio.train.places import Places
from studio.train.runners import carry_out, several
from studio.train.runs import Training
from tests.fakes import ray_cluster, ray_server
from tests.fakes.frozen_rows import freeze_rows, make_row

pytestmark = pytest.mark.slow
LayOut = Callable[..., Path]


@pytest.fixture
def ray() -> Iterator[ray_cluster.Cluster]:
    if reason := ray_cluster.why_not():
        pytest.skip(reason)
    with ray_cluster.real_ray() as cluster:
        yield cluster


@pytest.fixture
def carried_out(
    database: Database, artifacts: Artifacts, settings: Settings, project: Project, operator: Actor
) -> Callable[[str, Path], tuple[TrainingRun, dict[str, Any]]]:
    """A run and its job as the queue has them, carried out at a place in a folder that is laid out."""
    version = freeze_rows(database, artifacts, project.id, [make_row("a", "b")], [])

    def go(place: str, folder: Path) -> tuple[TrainingRun, dict[str, Any]]:
        run = _run(database, operator, project, version, place)
        context = JobContext(run.job_id or "", 1, "train", {}, folder, settings, database, artifacts)
        summary = carry_out(run, folder, context)
        with database.read() as session:
            return session.get_one(TrainingRun, run.id), summary

    return go


def _run(database: Database, operator: Actor, project: Project, version: DatasetVersion, place: str) -> TrainingRun:
    with database.write() as session:
        job = Jobs(database).enqueue(session, operator, "train", {}, title="Train cups")
        base = Model(project_id=project.id, name="tiny", kind="base")
        session.add(base)
        session.flush()
        facts = {"dataset_version_id": version.id, "base_model_id": base.id, "project_id": project.id}
        run = TrainingRun(name="cups", runner=place, job_id=job.id, **facts)
        session.add(run)
    return run


def test_a_run_on_a_real_ray_learns_exactly_what_it_learns_here(
    ray: ray_cluster.Cluster,
    lay_out: LayOut,
    whole_run: tuple[Path, dict[str, Any]],
    carried_out: Callable[[str, Path], tuple[TrainingRun, dict[str, Any]]],
    database: Database,
    settings: Settings,
    operator: Actor,
) -> None:
    places = Places(database, SecretBox(settings.secrets))
    places.save(operator, "box", "ray", ray.url, ray.token, {"python": sys.executable, "poll_s": 0.5}, 3.6)
    folder = lay_out("there")
    run, summary = carried_out("box", folder)
    here, there = (tail(each / "events.jsonl")[0] for each in (whole_run[0], folder))
    assert series(there, "loss") == series(here, "loss")
    assert (folder / "adapter" / "adapter_model.safetensors").read_bytes() == (
        whole_run[0] / "adapter" / "adapter_model.safetensors"
    ).read_bytes()
    assert not list(folder.rglob("*.bin")) and not (folder / "checkpoints").exists()
    assert run.handle == f"{run.id}-a1"
    assert summary["place"] == "box" and summary["stopped"] is False
    assert summary["cost_usd"] == round(3.6 * summary["wall_s"] / 3600, 4)
    assert (there[0]["kind"], there[-1]["kind"]) == (here[0]["kind"], "done")


def test_two_processes_learn_together_what_one_learns_alone(
    lay_out: LayOut,
    whole_run: tuple[Path, dict[str, Any]],
    carried_out: Callable[[str, Path], tuple[TrainingRun, dict[str, Any]]],
    database: Database,
    settings: Settings,
    operator: Actor,
) -> None:
    places = Places(database, SecretBox(settings.secrets))
    places.save(operator, "both cores", "accelerate", options={"processes": 2, "poll_s": 0.2})
    folder = lay_out("two", per_device_train_batch_size=4)
    _run_row, summary = carried_out("both cores", folder)
    alone, together = (tail(each / "events.jsonl")[0] for each in (whole_run[0], folder))
    steps = [event["step"] for event in together if event["kind"] == "log"]
    assert steps == [event["step"] for event in alone if event["kind"] == "log"], "told once, by the first process"
    for (_step, one), (_same, two) in zip(series(alone, "loss"), series(together, "loss"), strict=True):
        assert math.isclose(one, two, rel_tol=0.05), (one, two)
    assert summary["steps"] == whole_run[1]["steps"]
    assert (folder / "adapter" / "adapter_model.safetensors").exists()


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_accelerate_itself_reads_the_command_as_it_is_meant(strategy: str) -> None:
    from accelerate.commands.launch import launch_command_parser

    argv = several.command(4, strategy)
    read = launch_command_parser().parse_args(list(argv[argv.index("launch") + 1 :]))
    assert (read.num_processes, read.num_machines, read.module) == (4, 1, True)
    assert (read.use_fsdp, read.multi_gpu) == (strategy == "fsdp", strategy == "ddp")
    assert [read.training_script, *read.training_script_args] == ["studio.train.recipes.run", "{folder}"]


def test_a_run_stopped_at_a_place_goes_on_there_from_its_checkpoint_and_its_model_is_registered(
    base_folder: Path,
    database: Database,
    artifacts: Artifacts,
    settings: Settings,
    project: Project,
    operator: Actor,
    tmp_path: Path,
) -> None:
    (tmp_path / "shared").mkdir()
    training = Training(database, artifacts, Jobs(database), settings)
    base = Models(database).register_base(
        operator, project.id, "small", digest=artifacts.save_folder(base_folder), parameters=30_000
    )
    words = [left + right for left in "abcdefghij" for right in "abcdefgh"]
    rows = [make_row(f"The cup {word} is red.", '{"light": true}') for word in words]
    version = freeze_rows(database, artifacts, project.id, rows, [make_row("The lamp is red.", "no", "golden")])
    with ray_server.fake_ray(tmp_path) as ray:
        options = {"python": sys.executable, "poll_s": 0.2, "folder": str(tmp_path / "shared")}
        Places(database, SecretBox(settings.secrets)).save(operator, "box", "ray", ray.url, ray.token, options)
        run = training.start(operator, version.id, base.id, runner="box", overrides={"max_steps": 120})
        job = training.jobs.get(str(run.job_id))
        folder = RunFolder.of(settings.runs, job.id)
        folder.prepare(1)
        context = JobContext(job.id, 1, job.kind, job.spec, folder.work, settings, database, artifacts)
        seen: list[str] = []
        context.on_report = lambda _done, text: seen.append(text)
        context.stop_asked = lambda: any("Step 1" in text for text in seen)
        training.jobs.cancel(operator, job.id)
        with pytest.raises(JobCancelled):
            jobs.train(context)
        context.stop_asked = lambda: False
        result = jobs.train(context)
        assert [name.rpartition("-")[2] for name in ray.jobs] == ["a1", "a2"]
    begins = [event for event in tail(folder.work / "events.jsonl")[0] if event["kind"] == "train_begin"]
    assert begins[-1]["resumed_at"] > 0, "the second attempt took up the checkpoint of the first"
    assert training.get(run.id).summary["place"] == "box"
    assert Models(database).get(result["model_id"]).kind == "tuned"
    assert list((tmp_path / "shared").iterdir()) == [], "what was brought home is cleared away there"
