"""Carry a run out where it says: make the place's runner, send the run on its journey, tell the job how it goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from storage.artifacts import write_atomically
from storage.tables import ComputeTarget, Job, Model, TrainingRun
from studio.access.secrets import SecretBox
from studio.jobs.context import JobContext
from studio.train import recipe as recipes
from studio.train.hosted import HostedSpec, hosted_trainer
from studio.train.places import Places
from studio.train.runners import accelerate, local, several
from studio.train.runners.accelerate import AccelerateRunner
from studio.train.runners.catalog import KINDS, LOCAL
from studio.train.runners.company import CompanyRunner
from studio.train.runners.hf_jobs import HfJobsRunner
from studio.train.runners.journey import POLL_S, Journey, Telling
from studio.train.runners.port import SUMMARY, Resources, Runner, RunSpec
from studio.train.runners.ray import RayRunner


def carry_out(run: TrainingRun, folder: Path, context: JobContext) -> dict[str, Any]:
    """Train the folder where the run says, and return its summary; `"stopped": True` when a person stopped it.

    Afterwards the folder holds the adapter or the merged model, unless a company keeps it: then the summary has
    `hosted`. A job that was killed calls this again and goes on with the same attempt.
    """
    if run.runner in ("", LOCAL):
        return local.carry_out(folder, context)
    places = Places(context.database, SecretBox(context.settings.secrets))
    place, key = places.opened(run.runner)
    base = _base(run, context)
    runner = make_runner(place, key, _hosted_spec(run, base, folder), folder)
    if has_gpus(place):
        use_gpus(folder)
    spec = _spec(run, base, folder, place)
    journey = Journey(runner, spec, place.name, _telling(run, context), float(place.options.get("poll_s") or POLL_S))
    summary = journey.go() | {"place": place.name}
    if not KINDS[place.kind].hosted:
        summary.pop("hosted", None)  # only a company may say where a model answers
    return summary if summary["stopped"] else summary | _cost(place, folder)


def make_runner(place: ComputeTarget, key: str, hosted: HostedSpec, folder: Path) -> Runner:
    """The runner of a place's kind."""
    if KINDS[place.kind].hosted:
        trainer = hosted_trainer(place.kind, place.url, key, place.options)
        return CompanyRunner(trainer, hosted, bool(place.options.get("confirmed")))
    return AccelerateRunner(folder / "attempts") if place.kind == "accelerate" else _remote(place, key)


def checked(place: ComputeTarget, key: str) -> str:
    """One sentence from the place itself. Raises StudioError with what is wrong."""
    if KINDS[place.kind].hosted:
        return hosted_trainer(place.kind, place.url, key, place.options).check()
    return AccelerateRunner(Path()).check() if place.kind == "accelerate" else _remote(place, key).check()


def _remote(place: ComputeTarget, key: str) -> RayRunner | HfJobsRunner:
    return (RayRunner if place.kind == "ray" else HfJobsRunner)(place.url, key, place.options)


def has_gpus(place: ComputeTarget) -> bool:
    """Whether a run at this place gets a GPU."""
    if place.kind == "accelerate":
        return accelerate.visible_gpus() > 0
    flavor = str(place.options.get("flavor") or "cpu")
    return bool(place.options.get("gpus")) if place.kind == "ray" else not flavor.startswith("cpu")


def use_gpus(folder: Path) -> None:
    """A recipe that was made for this machine's processors uses the place's GPUs; its numbers stay as they are."""
    path = folder / recipes.RECIPE
    if path.exists() and (recipe := yaml.safe_load(path.read_text())).pop("use_cpu", False):
        write_atomically(path, recipes.as_yaml(recipe).encode())


def _spec(run: TrainingRun, base: Model, folder: Path, place: ComputeTarget) -> RunSpec:
    options = place.options
    wanted = {name: float(options.get(name) or 0) for name in ("gpus", "cpus", "memory_gb")}
    on_gpus = has_gpus(place)
    argv = accelerate.argv_of(options) if place.kind == "accelerate" else several.of_options(options, on_gpus)
    return RunSpec(
        run_id=run.id,
        folder=folder,
        argv=argv,
        base=f"{base.hub_id}@{base.hub_revision}" if base.hub_id and place.kind == "hf_jobs" else "",
        resources=Resources(**wanted),
        timeout_s=3600 * float(options.get("hours") or 0),
        start_within_s=60 * float(options.get("start_within_minutes") or 0),
    )


def _hosted_spec(run: TrainingRun, base: Model, folder: Path) -> HostedSpec:
    return HostedSpec(run.id, run.name, run.method, base.hub_id or base.name, folder, run.recipe)


def _base(run: TrainingRun, context: JobContext) -> Model:
    with context.database.read() as session:
        return session.get_one(Model, run.base_model_id)


def _telling(run: TrainingRun, context: JobContext) -> Telling:
    def by_a_person() -> bool:
        with context.database.read() as session:
            job = session.get(Job, context.job_id)
        return job is None or job.cancel_requested

    def remember(handle: str) -> None:
        with context.database.write() as session:
            session.get_one(TrainingRun, run.id).handle = handle

    return Telling(context.report, context.stop_asked, by_a_person, remember)


def _cost(place: ComputeTarget, folder: Path) -> dict[str, Any]:
    """What the run cost at the place's own price, where it has one."""
    if not place.price_per_hour:
        return {}
    seconds = json.loads((folder / SUMMARY).read_bytes()).get("wall_s") or 0
    return {"cost_usd": round(place.price_per_hour * float(seconds) / 3600, 4)}
