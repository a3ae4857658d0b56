"""Importing calls as a command: files of any kind, and datasets of the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from storage.tables import Job
from studio.access.actor import Actor
from studio.bootstrap import Studio, build_studio
from studio.capture.import_preview import Preview
from studio.cli.find import ProjectName, project_named
from studio.cli.report import imported
from studio.cli.terminal import say, show_table, watch
from studio.errors import InvalidInput

ME = Actor.operator()
File = Annotated[Path | None, typer.Argument(help="File of calls; packed ones and zip archives too.")]
Format = Annotated[str, typer.Option("--format", "-f", help="Whose rows they are; recognised when left out.")]
Map = Annotated[list[str] | None, typer.Option("--map", "-m", help="role=column; repeat for more.")]
Hub = Annotated[str, typer.Option("--hub", help="A dataset of the Hugging Face Hub instead of a file: owner/name.")]
Config = Annotated[str, typer.Option(help="Subset of the Hub dataset.")]
Split = Annotated[str, typer.Option(help="Split of the Hub dataset; train when left out.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Show how the first rows read, and import nothing.")]


def import_(
    path: File = None,
    project: ProjectName = "",
    format: Format = "",
    map: Map = None,
    hub: Hub = "",
    config: Config = "",
    split: Split = "",
    dry_run: Dry = False,
) -> None:
    """Import calls from a file or a dataset; rows that cannot be read are listed, the rest goes in."""
    studio = build_studio()
    found = project_named(studio, project)
    source, name = _source(studio, found.id, path, hub, config, split)
    if dry_run:
        _show(studio.imports.preview(source, _mapping(map), format=format, name=name))
        return
    job = studio.imports.start(ME, found.id, source, name, format=format or None, mapping=_mapping(map))
    for line in imported(watch(studio, job).result):
        say(line)


def _source(studio: Studio, project_id: str, path: Path | None, hub: str, config: str, split: str) -> tuple[Path, str]:
    """What to import: the file, or what is fetched from the Hub."""
    if (path is None) == (not hub):
        raise InvalidInput("Name a file, or a dataset with --hub owner/name.")
    if path is not None:
        return path, path.name
    fetched: Job = watch(studio, studio.imports.fetch(ME, project_id, hub, config=config, split=split))
    upload = studio.imports.upload(ME, project_id, str(fetched.result["upload"]))
    return upload.path, upload.name


def _mapping(given: list[str] | None) -> dict[str, list[str]]:
    """`prompt=question` as what is mapped to which columns."""
    mapping: dict[str, list[str]] = {}
    for each in given or ():
        role, equals, column = each.partition("=")
        if not equals:
            raise InvalidInput(f"Write --map as role=column, not {each!r}.")
        mapping.setdefault(role.strip(), []).append(column.strip())
    return mapping


def _show(preview: Preview) -> None:
    say(f"{preview.label} ({preview.layout}). {' '.join(preview.notes)}".strip())
    for role, columns in preview.mapping.items():
        say(f"  {role} ← {', '.join(columns)}")
    rows = [(call["prompt_text"][:60], call["reply_text"][:60], call["model"]) for call in preview.calls]
    show_table("First calls", ("prompt", "reply", "model"), rows)
    for error in preview.errors:
        say(f"  row {error.line}{f', {error.field}' if error.field else ''}: {error.reason}")
    if preview.lacks:
        say(preview.lacks)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("import")(import_)
