"""The loop as commands: capture → curate → label → train → evaluate → improve."""

from __future__ import annotations

from typing import Annotated

import typer

from studio.access.actor import Actor
from studio.bootstrap import Studio, build_studio
from studio.capture.filters import LogFilter
from studio.cli.find import ProjectName, dataset_named, find_dataset, model_named, newest_version, project_named
from studio.cli.report import comparison_table, outcome
from studio.cli.terminal import say, show_table, watch
from studio.evaluate.verdict import verdicts

Tags = Annotated[list[str] | None, typer.Option("--tag", help="name=value; repeat for more.")]
ME = Actor.operator()


def sample(calls: int = 2100) -> None:
    """Create the sample project and send its calls through the gateway."""
    studio = build_studio()
    done = watch(studio, studio.sample.start(ME, calls))
    say(f"Captured {done.result['captured']:,} calls, {done.result['corrections']:,} corrections by feedback.")


def curate(dataset: str, text: str = "", tag: Tags = None, project: ProjectName = "") -> None:
    """Put the captured calls that match into a dataset, exact duplicates and failures left out."""
    studio = build_studio()
    found = project_named(studio, project)
    tags = tuple((name, value) for name, _, value in (each.partition("=") for each in tag or ()))
    target = find_dataset(studio, found, dataset) or studio.datasets.create(ME, found.id, dataset)
    chosen = LogFilter(project_id=found.id, text=text, tags=tags)
    done = watch(studio, studio.datasets.add_logs(ME, target.id, chosen))
    say(outcome(done.result))


def freeze(dataset: str, note: str = "", project: ProjectName = "") -> None:
    """Freeze the dataset into an immutable version."""
    studio = build_studio()
    done = watch(
        studio, studio.datasets.freeze(ME, dataset_named(studio, project_named(studio, project), dataset).id, note)
    )
    say(outcome(done.result))


def base(project: ProjectName = "") -> None:
    """Build the sample's tiny base model on this machine (no download)."""
    studio = build_studio()
    done = watch(studio, studio.sample.build_base(ME, project_named(studio, project).id))
    say(outcome(done.result))


def evaluate(dataset: str, model: list[str], project: ProjectName = "", unverified: bool = False) -> None:
    """Compare models on the golden examples of the dataset's newest version."""
    studio = build_studio()
    found = project_named(studio, project)
    version = newest_version(studio, dataset_named(studio, found, dataset))
    chosen = [model_named(studio, found, name).id for name in model]
    evaluation = studio.evaluations.start(ME, version.id, chosen, verified_only=not unverified)
    assert evaluation.job_id is not None
    watch(studio, studio.jobs.get(evaluation.job_id))
    show_evaluation(studio, evaluation.id)


def show_evaluation(studio: Studio, evaluation_id: str) -> None:
    """Print an evaluation's table and its verdict."""
    summary = studio.evaluations.get(evaluation_id).summary
    ceilings = studio.evaluations.ceilings(evaluation_id)
    columns, rows = comparison_table(summary, ceilings)
    show_table("Golden examples, 95 % intervals", columns, rows)
    for sentence in [*verdicts(summary), *(each.sentence for each in ceilings)]:
        say(sentence)


def improve(dataset: str, project: ProjectName = "") -> None:
    """Show what production says of each model, then start the next turn with its feedback."""
    studio = build_studio()
    found = project_named(studio, project)
    rows = [(m.name, m.calls, m.up, m.down, m.corrections) for m in studio.improve.by_model(found.id)]
    show_table("Production feedback", ("model", "calls", "up", "down", "corrections"), rows)
    job = studio.improve.start_next_turn(ME, found.id, dataset_named(studio, found, dataset).id)
    say(outcome(watch(studio, job).result))


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (sample, curate, freeze, base, evaluate, improve):
        app.command()(command)
