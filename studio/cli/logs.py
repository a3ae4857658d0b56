"""`studio logs`: find captured calls, export them, and have them compared by meaning."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from studio.access.actor import Actor
from studio.bootstrap import Studio, build_studio
from studio.capture.explorer.answers import Sort
from studio.capture.filters import LogFilter
from studio.cli.find import ProjectName, project_named
from studio.cli.terminal import say, show_table, watch
from studio.errors import InvalidInput, NotFound

logs = typer.Typer(help="Find captured calls and export them.", no_args_is_help=True)
ME = Actor.operator()

Many = list[str] | None
Text = Annotated[str, typer.Option("--text", "-t", help="Words of prompt or reply.")]
Model = Annotated[Many, typer.Option("--model", "-m", help="Model the caller asked for; repeat for more.")]
Status = Annotated[Many, typer.Option("--status", help="ok, error, aborted or cut; repeat for more.")]
Rating = Annotated[Many, typer.Option("--rating", help="up, down or none; repeat for more.")]
Tags = Annotated[Many, typer.Option("--tag", help="name=value; repeat for more.")]
User = Annotated[Many, typer.Option("--user", help="The caller's own user; repeat for more.")]
Since = Annotated[datetime | None, typer.Option(help="From this moment on (UTC).")]
Until = Annotated[datetime | None, typer.Option(help="Before this moment (UTC).")]
Where = Annotated[
    str, typer.Option("--filter", help='Any other condition as JSON, as {"latency_ms": [500, null]} or a saved view.')
]


def chosen(
    studio: Studio,
    project: str,
    text: str,
    lists: dict[str, Many],
    since: datetime | None,
    until: datetime | None,
    where: str,
) -> LogFilter:
    """The filter that the options mean. Raises InvalidInput."""
    found = project_named(studio, project)
    conditions = _conditions(studio, found.id, where)
    conditions |= {name: tuple(values) for name, values in lists.items() if values}
    if "tags" in conditions:
        conditions["tags"] = tuple(_pair(each) if isinstance(each, str) else each for each in conditions["tags"])
    conditions |= {name: at.replace(tzinfo=UTC).isoformat() for name, at in (("since", since), ("until", until)) if at}
    return LogFilter.from_dict({**conditions, "project_id": found.id, **({"text": text} if text else {})})


def list_(
    project: ProjectName = "",
    text: Text = "",
    model: Model = None,
    status: Status = None,
    rating: Rating = None,
    tag: Tags = None,
    user: User = None,
    since: Since = None,
    until: Until = None,
    where: Where = "",
    sort: Annotated[str, typer.Option(help="Column to sort by; -column from small to large.")] = "created_at",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
) -> None:
    """List calls, newest first, and how many there are."""
    studio = build_studio()
    lists = {"models": model, "statuses": status, "ratings": rating, "tags": tag, "users": user}
    criteria = chosen(studio, project, text, lists, since, until, where)
    page = studio.explorer.page(criteria, Sort(sort.removeprefix("-"), not sort.startswith("-")), limit=limit)
    rows = [
        (row.uid, f"{row.created_at:%Y-%m-%d %H:%M:%S}", row.model, row.status, f"{row.latency_ms:,.0f}", short)
        for row, short in ((row, _line(row.prompt)) for row in page.rows)
    ]
    show_table("Calls", ("id", "at (UTC)", "model", "status", "ms", "prompt"), rows)
    say(f"{studio.explorer.count(criteria)} calls match.")
    studio.explorer.close()


def export(
    path: Annotated[Path, typer.Argument(help="File to write, .jsonl, .csv or .parquet; - for standard output.")],
    project: ProjectName = "",
    format: Annotated[str, typer.Option("--format", "-f", help="jsonl, csv or parquet; by the file's name.")] = "",
    column: Annotated[Many, typer.Option("--column", "-c", help="Only this column; repeat for more.")] = None,
    text: Text = "",
    model: Model = None,
    status: Status = None,
    rating: Rating = None,
    tag: Tags = None,
    user: User = None,
    since: Since = None,
    until: Until = None,
    where: Where = "",
) -> None:
    """Write calls to a file, oldest first, while they are read."""
    studio = build_studio()
    lists = {"models": model, "statuses": status, "ratings": rating, "tags": tag, "users": user}
    criteria = chosen(studio, project, text, lists, since, until, where)
    kind = format or path.suffix.removeprefix(".") or "jsonl"
    _write(path, studio.explorer.export(criteria, kind, column))


def vectors(
    project: ProjectName = "",
    provider: Annotated[str, typer.Option(help="Provider that sees the prompts; none goes back to MinHash.")] = "",
    model: Annotated[str, typer.Option(help="Its embedding model.")] = "",
) -> None:
    """Have prompts compared by meaning: choose a provider's embedding model, then ask it for missing vectors."""
    studio = build_studio()
    found = project_named(studio, project)
    if provider == "none":
        studio.vectors.choose(ME, found.id, None)
        say("Similar calls are found by MinHash signatures.")
        return
    if provider:
        studio.vectors.choose(ME, found.id, _provider(studio, found.id, provider), model)
    done = watch(studio, studio.vectors.start(ME, found.id))
    say(f"{done.result['made']:,} vectors made; {studio.vectors.made(found.id):,} calls have one.")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    logs.command("list")(list_)
    logs.command("export")(export)
    logs.command("vectors")(vectors)
    app.add_typer(logs, name="logs")


def _conditions(studio: Studio, project_id: str, where: str) -> dict[str, Any]:
    """The JSON, or the conditions of the saved view of this name."""
    if not where:
        return {}
    for view in studio.views.all(project_id):
        if view.name == where:
            return {name: value for name, value in view.query.items() if name not in ("sort", "range")}
    try:
        found = json.loads(where)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InvalidInput(f"{where} is neither a saved view nor a filter in JSON.")
    return found


def _provider(studio: Studio, project_id: str, name: str) -> str:
    found = studio.providers.find(project_id, name)
    if found is None:
        raise NotFound(f"The project has no provider called {name}.")
    return found.id


def _pair(said: str) -> tuple[str, str]:
    name, _, value = said.partition("=")
    return name, value


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"


def _write(path: Path, parts: Iterable[bytes]) -> None:
    if str(path) == "-":
        for part in parts:
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
        return
    with path.open("wb") as file:
        size = sum(file.write(part) for part in parts)
    say(f"{path}: {size:,} bytes")
