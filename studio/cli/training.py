"""Training as commands: what can be learned, train by method or recipe, the runs there are, a run once more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from storage.tables import DatasetVersion, Project, TrainingRun
from studio.access.actor import Actor
from studio.bootstrap import Studio, build_studio
from studio.cli.find import ProjectName, dataset_named, model_named, newest_version, project_named
from studio.cli.report import outcome
from studio.cli.terminal import say, show_table, watch
from studio.errors import InvalidInput, NotFound

ME = Actor.operator()
Number = Annotated[int, typer.Option("--version", help="Number of the frozen version; the newest when left out.")]
Base = Annotated[str, typer.Option("--base", help="Name of the model to start from, as the second argument.")]
Recipe = Annotated[Path | None, typer.Option("--recipe", help="A YAML recipe; with it no advice is given.")]
MethodName = Annotated[str, typer.Option("--method", help="sft, dpo, kto, grpo ... (`studio methods DATASET`).")]
Then = Annotated[str, typer.Option("--then", help="A second method, trained on the model that comes out.")]
Sets = Annotated[list[str] | None, typer.Option("--set", help="name=value, instead of the advised one; repeat.")]
Runner = Annotated[str, typer.Option("--runner", help="Where it runs: local, or the name of a place.")]


def train(
    dataset: str,
    base_name: Annotated[str, typer.Argument(metavar="[BASE]")] = "",
    base: Base = "",
    version: Number = 0,
    recipe: Recipe = None,
    method: MethodName = "",
    then: Then = "",
    preset: str = "balanced",
    values: Sets = None,
    runner: Runner = "local",
    name: str = "",
    project: ProjectName = "",
) -> None:
    """Train on a frozen version, by advice or by a recipe, and register the model that comes out."""
    studio = build_studio()
    found = project_named(studio, project)
    chosen = _version(studio, found, dataset, version)
    start = model_named(studio, found, base or base_name).id
    if recipe is not None:
        how: dict[str, Any] = {"name": name or None, "runner": runner, "method": method}
        run = studio.training.start_recipe(ME, found.id, chosen.id, start, _text(recipe), **how)
    else:
        how = {"method": method or "sft", "preset": preset, "name": name or None, "then": then or None}
        given: dict[str, Any] = {"overrides": _values(values), "runner": runner}
        run = studio.training.start(ME, chosen.id, start, **how, **given)
    for each in [run, *studio.training.chain_of(run.id)]:
        _followed(studio, each)


def methods(dataset: str, version: Number = 0, project: ProjectName = "") -> None:
    """Show which ways of learning a frozen version holds the data for, and what is missing for the others."""
    studio = build_studio()
    chosen = _version(studio, project_named(studio, project), dataset, version)
    offers = studio.training.offers(chosen.id)
    rows = [(each.method.name, "yes" if each.available else "no", each.sentence) for each in offers]
    show_table(f"{dataset}, version {chosen.number}", ("method", "can start", "data"), rows)


def runs(project: ProjectName = "", limit: int = 20) -> None:
    """List training runs, newest first."""
    studio = build_studio()
    found = studio.training.all(project_named(studio, project).id)[:limit]
    show_table(
        "Training runs", ("run", "method", "id", "state", "steps", "loss", "seed"), [_row(studio, run) for run in found]
    )


def reproduce(run: str, project: ProjectName = "") -> None:
    """Train a run once more: same recipe, version, base and seed."""
    studio = build_studio()
    _followed(studio, studio.training.reproduce(ME, _run(studio, project_named(studio, project), run).id))


def show_recipe(run: str, project: ProjectName = "") -> None:
    """Print a run's recipe: for a file, for TRL, for `studio train --recipe`."""
    studio = build_studio()
    print(studio.training.recipe_text(_run(studio, project_named(studio, project), run)), end="")


def _version(studio: Studio, project: Project, dataset: str, number: int) -> DatasetVersion:
    found = dataset_named(studio, project, dataset)
    if not number:
        return newest_version(studio, found)
    chosen = next((each for each in studio.datasets.versions(found.id) if each.number == number), None)
    if chosen is None:
        raise NotFound(f"{dataset} has no version {number}.")
    return chosen


def _run(studio: Studio, project: Project, name: str) -> TrainingRun:
    every = studio.training.all(project.id)
    found = next((run for run in every if name in (run.id, run.name)), None)
    if found is None:
        raise NotFound(f"No run named {name!r} in {project.name}. `studio runs` lists them.")
    return found


def _values(given: list[str] | None) -> dict[str, Any]:
    """`name=value` pairs; a value is JSON, or else the text it is."""
    found = {}
    for each in given or []:
        name, equals, text = each.partition("=")
        if not equals:
            raise InvalidInput(f"Write --set name=value, not {each!r}.")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The recipe {path} cannot be read. Give the path of a YAML file.") from error


def _followed(studio: Studio, run: TrainingRun) -> None:
    assert run.job_id is not None
    done = watch(studio, studio.jobs.get(run.job_id))
    say(f"{run.name}: {outcome(done.result)}")


def _row(studio: Studio, run: TrainingRun) -> tuple[object, ...]:
    state = studio.jobs.get(run.job_id).status if run.job_id else "–"
    loss = run.summary.get("loss")
    shown = f"{loss:.4f}" if isinstance(loss, float) else "–"
    return run.name, run.method, run.id, state, run.summary.get("steps", "–"), shown, run.seed


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (train, methods, runs, reproduce):
        app.command()(command)
    app.command("recipe")(show_recipe)
