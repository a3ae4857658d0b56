"""Commands about people's judgement: labeling tasks, teams, how people answer, review sessions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from studio.access.actor import Actor, Role
from studio.bootstrap import Studio, build_studio
from studio.cli.find import ProjectName, dataset_named, project_named
from studio.cli.report import quality_rows
from studio.cli.terminal import say, show_table, watch
from studio.errors import InvalidInput
from studio.label.draft import ANYBODY, SPLIT, TaskDraft
from studio.label.sampling import SAMPLES
from studio.label.templates import TEMPLATES

ME = Actor.operator()
People = Annotated[list[str] | None, typer.Option("--person", help="Who answers; repeat for more. Default: everybody.")]
TeamNames = Annotated[list[str] | None, typer.Option("--team", help="A team that answers; repeat for more.")]
Template = Annotated[str, typer.Option(help=f"What is asked: {', '.join(TEMPLATES)}.")]
Sample = Annotated[str, typer.Option(help=f"Which examples: {', '.join(SAMPLES)}.")]
By = Annotated[str, typer.Option("--by", help="What the sample goes by, such as a tag.")]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", help="A choice of the template, name=value with the value as JSON; repeat for more."),
]
Split = Annotated[bool, typer.Option("--split", help="Give every example to certain people instead of to anybody.")]
Gold = Annotated[int, typer.Option(help="Percent of the task that are examples with known answers.")]
Guidelines = Annotated[Path | None, typer.Option(help="A Markdown file; default: the template's guidelines.")]


def label(
    dataset: str,
    person: People = None,
    team: TeamNames = None,
    name: str = "",
    template: Template = "verdict",
    sample: Sample = "golden_first",
    by: By = "",
    size: int = 60,
    answers: Annotated[int, typer.Option(help="Answers per example.")] = 2,
    split: Split = False,
    gold: Gold = 0,
    option: Options = None,
    guidelines: Guidelines = None,
    deadline: Annotated[datetime | None, typer.Option(help="When the answers are needed, in UTC.")] = None,
    project: ProjectName = "",
) -> None:
    """Send examples to teammates in Argilla; people who are new are invited as labelers."""
    studio = build_studio()
    draft = TaskDraft(
        dataset_id=dataset_named(studio, project_named(studio, project), dataset).id,
        name=name or f"{dataset} review",
        template=template,
        size=size,
        answers_per_item=answers,
        people=tuple(person or ()),
        teams=tuple(team or ()),
        assignment=SPLIT if split else ANYBODY,
        guidelines=_text_of(guidelines),
        sample=sample,
        sample_by=by,
        options=options_of(option or ()),
        gold_percent=gold,
        deadline=deadline and deadline.replace(tzinfo=UTC),
    )
    _invite(studio, draft.people)
    task = studio.labeling.create(ME, draft)
    for job in studio.jobs.active(None):
        if job.spec.get("task_id") == task.id:
            watch(studio, job)
    say(f"Task {task.name} ({task.id}) is open for {', '.join(task.assignees)}: they sign in and press Label.")


def labels(task_id: str) -> None:
    """Show a labeling task's progress and agreement, and apply its answers to the dataset."""
    studio = build_studio()
    studio.labeling.sync(task_id)
    progress = studio.labeling.progress(task_id)
    say(f"{progress.complete:,} of {progress.items:,} examples have all their answers.")
    for each in studio.labeling.agreement(task_id):
        say(f"{each}")
    say(f"{studio.labeling.apply(ME, task_id)}")


def quality(task_id: str) -> None:
    """Show how each person answers a task: known answers, estimated errors, time; help for them, no ranking."""
    found = build_studio().labeling.quality(ME, task_id)
    columns, rows = quality_rows(found)
    show_table("How people answer (by name; this is no ranking)", columns, rows)
    for each in found:
        if each.note:
            say(f"{each.username}: {each.note}")


def teams() -> None:
    """List teams and who is in them."""
    rows = [(each.name, ", ".join(each.members)) for each in build_studio().teams.all()]
    show_table("Teams", ("team", "people"), rows)


def team(name: str, member: list[str]) -> None:
    """Make a team, or give the one of this name these members."""
    saved = build_studio().teams.save(ME, name, member)
    say(f"Team {saved.name}: {', '.join(saved.members)}.")


def reviews(project: ProjectName = "") -> None:
    """List review sessions, newest first."""
    studio = build_studio()
    found = project_named(studio, project)
    tally = studio.reviews.tally(found.id)
    rows = [
        (each.title, each.id, each.state, each.chair, "{1} of {0}".format(*tally.get(each.id, (0, 0))))
        for each in studio.reviews.all(found.id)
    ]
    show_table("Review sessions", ("session", "id", "state", "chair", "decided"), rows)


def review_minutes(session_id: str) -> None:
    """Print a review session's minutes as Markdown: what was decided, by whom, and what stays open."""
    say(build_studio().reviews.minutes_markdown(session_id))


def options_of(given: Sequence[str]) -> dict[str, Any]:
    """Template options from name=value words; a value that is no JSON is the text it is."""
    found = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            raise InvalidInput(f"Write --option as name=value, not {word!r}.")
        found[name.strip()] = _value(value)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _text_of(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The guidelines in {path} cannot be read. Give a Markdown file in UTF-8.") from error


def _invite(studio: Studio, usernames: Sequence[str]) -> None:
    known = {each.username for each in studio.people.all()}
    for username in dict.fromkeys(usernames):
        if username not in known:
            studio.people.invite(ME, username, Role.LABELER)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (label, labels, quality, teams, team, reviews):
        app.command()(command)
    app.command("review-minutes")(review_minutes)
