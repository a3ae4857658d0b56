"""The loop as commands: capture → curate → label → train → evaluate → deploy → improve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from storage.tables import Dataset, DatasetVersion, Model, Project
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio, build_studio
from studio.capture.filters import LogFilter
from studio.cli.report import comparison_table, imported, outcome
from studio.cli.terminal import say, show_table, watch
from studio.errors import InvalidInput, NotFound
from studio.evaluate.verdict import verdicts
from studio.label.draft import TaskDraft

ProjectName = Annotated[str, typer.Option("--project", "-p", help="Project name; the only one when left out.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="name=value; repeat for more.")]
Names = Annotated[list[str], typer.Option("--person", help="Who answers; repeat for more.")]
ME = Actor.operator()


def sample(calls: int = 2100) -> None:
    """Create the sample project and send its calls through the gateway."""
    studio = build_studio()
    done = watch(studio, studio.sample.start(ME, calls))
    say(f"Captured {done.result['captured']:,} calls, {done.result['corrections']:,} corrections by feedback.")


def import_(path: Path, project: ProjectName = "") -> None:
    """Import a file of calls (OpenAI-format JSONL); bad lines are listed, the rest goes in."""
    studio = build_studio()
    done = watch(studio, studio.imports.start(ME, _project(studio, project).id, path, path.name))
    for line in imported(done.result):
        say(line)


def curate(dataset: str, text: str = "", tag: Tags = None, project: ProjectName = "") -> None:
    """Put the captured calls that match into a dataset, exact duplicates and failures left out."""
    studio = build_studio()
    found = _project(studio, project)
    tags = tuple((name, value) for name, _, value in (each.partition("=") for each in tag or ()))
    target = _find_dataset(studio, found, dataset) or studio.datasets.create(ME, found.id, dataset)
    chosen = LogFilter(project_id=found.id, text=text, tags=tags)
    done = watch(studio, studio.datasets.add_logs(ME, target.id, chosen))
    say(outcome(done.result))


def freeze(dataset: str, note: str = "", project: ProjectName = "") -> None:
    """Freeze the dataset into an immutable version."""
    studio = build_studio()
    done = watch(studio, studio.datasets.freeze(ME, _dataset(studio, _project(studio, project), dataset).id, note))
    say(outcome(done.result))


def label(dataset: str, person: Names, size: int = 60, project: ProjectName = "") -> None:
    """Send examples to teammates in Argilla; prints each person's way in."""
    studio = build_studio()
    chosen = _dataset(studio, _project(studio, project), dataset)
    known = {each.username for each in studio.people.all()}
    for name in set(person) - known:
        studio.people.invite(ME, name, Role.LABELER)
    task = studio.labeling.create(ME, TaskDraft(chosen.id, f"{dataset} review", size=size, people=tuple(person)))
    for job in studio.jobs.active(None):
        watch(studio, job)
    say(f"Task {task.name} ({task.id}) is open for {', '.join(person)}: they sign in and press Label.")


def labels(task_id: str) -> None:
    """Show a labeling task's progress and agreement, and apply its answers to the dataset."""
    studio = build_studio()
    studio.labeling.sync(task_id)
    for each in studio.labeling.agreement(task_id):
        say(f"{each}")
    say(f"{studio.labeling.apply(ME, task_id)}")


def train(dataset: str, base: str, preset: str = "balanced", project: ProjectName = "") -> None:
    """Train an adapter on the dataset's newest version, merge it and register the model."""
    studio = build_studio()
    found = _project(studio, project)
    version = _newest(studio, _dataset(studio, found, dataset))
    run = studio.training.start(ME, version.id, _model(studio, found, base).id, preset=preset)
    assert run.job_id is not None
    done = watch(studio, studio.jobs.get(run.job_id))
    say(outcome(done.result))


def base(project: ProjectName = "") -> None:
    """Build the sample's tiny base model on this machine (no download)."""
    studio = build_studio()
    done = watch(studio, studio.sample.build_base(ME, _project(studio, project).id))
    say(outcome(done.result))


def evaluate(dataset: str, model: list[str], project: ProjectName = "", unverified: bool = False) -> None:
    """Compare models on the golden examples of the dataset's newest version."""
    studio = build_studio()
    found = _project(studio, project)
    version = _newest(studio, _dataset(studio, found, dataset))
    chosen = [_model(studio, found, name).id for name in model]
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


def deploy(alias: str, model: str, target: str = "embedded", project: ProjectName = "") -> None:
    """Serve a model behind the alias and prove that its weights answer; traffic does not move yet."""
    studio = build_studio()
    found = _project(studio, project)
    revision = studio.deployments.deploy(ME, found.id, alias, _model(studio, found, model).id, target)
    for job in studio.jobs.active(found.id):
        watch(studio, job)
    say(f"Revision {revision.number} ({revision.id}) is ready.")


def shift(revision_id: str, percent: int, reason: str = "") -> None:
    """Give a ready revision this share of its alias's traffic."""
    release = build_studio().deployments.shift(ME, revision_id, percent, reason)
    say(f"Release {release.number}: {release.routes}")


def undo(alias: str, project: ProjectName = "") -> None:
    """Take the alias back to its previous traffic split, at once."""
    studio = build_studio()
    found = next((d for d in studio.deployments.all(_project(studio, project).id) if d.alias == alias), None)
    if found is None:
        raise NotFound(f"No deployment answers to {alias!r} in this project.")
    say(f"Release {studio.deployments.undo(ME, found.id).number} is the split from before.")


def improve(dataset: str, project: ProjectName = "") -> None:
    """Show what production says of each model, then start the next turn with its feedback."""
    studio = build_studio()
    found = _project(studio, project)
    rows = [(m.name, m.calls, m.up, m.down, m.corrections) for m in studio.improve.by_model(found.id)]
    show_table("Production feedback", ("model", "calls", "up", "down", "corrections"), rows)
    job = studio.improve.start_next_turn(ME, found.id, _dataset(studio, found, dataset).id)
    say(outcome(watch(studio, job).result))


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (sample, curate, freeze, label, labels, base, train, evaluate, deploy, shift, undo, improve):
        app.command()(command)
    app.command("import")(import_)


def _project(studio: Studio, name: str) -> Project:
    found = studio.projects.all()
    if name:
        found = [each for each in found if each.name == name]
    if len(found) != 1:
        names = ", ".join(each.name for each in studio.projects.all()) or "none yet: run `studio sample`"
        raise InvalidInput(f"Name the project with --project. There are: {names}.")
    return found[0]


def _find_dataset(studio: Studio, project: Project, name: str) -> Dataset | None:
    return next((each for each in studio.datasets.all(project.id) if each.name == name), None)


def _dataset(studio: Studio, project: Project, name: str) -> Dataset:
    found = _find_dataset(studio, project, name)
    if found is None:
        raise NotFound(f"No dataset named {name!r} in {project.name}. Make one with `studio curate {name}`.")
    return found


def _newest(studio: Studio, dataset: Dataset) -> DatasetVersion:
    versions = studio.datasets.versions(dataset.id)
    if not versions:
        raise NotFound(f"{dataset.name} has no frozen version. Run `studio freeze {dataset.name}`.")
    return max(versions, key=lambda each: each.number)


def _model(studio: Studio, project: Project, name: str) -> Model:
    found = studio.models.find(project.id, name)
    if found is None:
        names = ", ".join(each.name for each in studio.models.all(project.id)) or "none"
        raise NotFound(f"No model named {name!r} in {project.name}. There are: {names}.")
    return found
