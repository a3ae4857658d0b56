"""The journal as commands: what waits in it, whether it is whole, and taking a segment in once more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from storage.database import Database
from studio.capture.replay import journal_state, replay, segments_at, verify
from studio.capture.segments import KEPT, segments
from studio.cli.terminal import fail, say, show_table
from studio.settings import Settings

Paths = Annotated[list[Path] | None, typer.Argument(help="Segments, or folders of them.")]
commands = typer.Typer(help="The gateway's journal: what waits in it, is it whole, take a segment in once more.")


@commands.command("status")
def status_command() -> None:
    """List segments, how far each is drained, damaged pieces and feedback that waits for its call."""
    settings = Settings()
    database = Database(settings.database)
    found = journal_state(database, settings.journal)
    database.close()
    rows = [(each.name, each.state, _mb(each.size), _mb(each.drained), _age(each.age_s)) for each in found.segments]
    show_table("Journal", ("segment", "state", "size", "drained", "age"), rows)
    say(f"{_mb(found.waiting)} wait for the database. {found.held} pieces of feedback wait for their call.")
    for path in found.damaged:
        fail(f"Unreadable: {path} ({_mb(path.stat().st_size)})")


@commands.command("verify")
def verify_command(paths: Paths = None) -> None:
    """Check every frame of segments (those of the journal where none is named); exit code 1 where one is damaged."""
    folder = Settings().journal
    found = [verify(each) for each in segments_at(paths or [at for at in (folder, folder / KEPT) if at.is_dir()])]
    rows = [(each.path.name, f"{each.records:,}", _mb(each.size), _places(each.damaged)) for each in found]
    show_table("Segments", ("segment", "records", "size", "damaged bytes"), rows)
    if any(each.damaged for each in found):
        raise typer.Exit(1)


@commands.command("replay")
def replay_command(paths: Paths = None) -> None:
    """Take kept (STUDIO_JOURNAL_KEEP_HOURS) or copied segments into the database once more, without doubling."""
    settings = Settings()
    database = Database(settings.database)
    found = segments_at(paths) if paths else segments(settings.journal / KEPT)
    for each in found:
        done = replay(database, settings.journal, each)
        say(f"{each.name}: {done.records:,} records, {done.calls:,} calls were not in the database.")
        if done.damaged:
            fail(f"{done.damaged} pieces of it cannot be read: `studio journal verify {each.path}` says where.")
    database.close()
    if not found:
        say("No segment is kept. STUDIO_JOURNAL_KEEP_HOURS keeps drained ones; or name a copied one.")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="journal")


def _places(damaged: list[tuple[int, int]]) -> str:
    return ", ".join(f"{start}-{end}" for start, end in damaged) or "none"


def _mb(size: int) -> str:
    return f"{size / (1 << 20):,.1f} MB"


def _age(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds > 3600 else f"{seconds / 60:.0f} min"
