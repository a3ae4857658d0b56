"""Training elsewhere as commands: take a run to another tool, bring back what it made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studio.access.actor import Actor
from studio.bootstrap import build_studio
from studio.cli.find import ProjectName, model_named, project_named
from studio.cli.terminal import say, watch
from studio.errors import InvalidInput, NotFound

ME = Actor.operator()
Out = Annotated[Path | None, typer.Option("--out", help="Zip to write; in this folder when left out.")]
Source = Annotated[Path, typer.Argument(help="Zip or folder: an adapter, or a whole model, as safetensors.")]


def take_away(run: str, tool: str, out: Out = None, project: ProjectName = "") -> None:
    """Write a run as a zip for another tool: trl, axolotl, llama-factory or unsloth."""
    studio = build_studio()
    every = studio.training.all(project_named(studio, project).id)
    found = next((each for each in every if run in (each.id, each.name)), None)
    if found is None:
        raise NotFound(f"No run named {run!r}. `studio runs` lists them.")
    path = out or Path(f"{found.id}-{tool}.zip")
    studio.takeaways.write_bundle(found.id, tool, path)
    say(f"{path} holds config, data and README for {tool}.")


def import_model(source: Source, base: str, name: str, project: ProjectName = "") -> None:
    """Register what was trained elsewhere on one of the project's bases."""
    if not source.exists():
        raise InvalidInput(f"There is no {source}. Give the path of a zip or folder.")
    studio = build_studio()
    found = project_named(studio, project)
    start = model_named(studio, found, base)
    job = studio.takeaways.import_tuned(ME, found.id, source, start.id, name)
    watch(studio, job)
    say(f"{name} is registered. Evaluate it before anybody gets its answers.")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("take-away")(take_away)
    app.command("import-model")(import_model)
