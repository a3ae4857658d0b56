"""What commands print: sentences, tables, a progress line."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from storage.tables import Job
from studio.bootstrap import Studio

PIPED_WIDTH = 150
"""Columns when the output goes to a file or a pipe, so that tables are not cut to a terminal's 80."""
console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
errors = Console(stderr=True, highlight=False)


def say(sentence: str) -> None:
    """Print a sentence."""
    console.print(sentence, soft_wrap=True, markup=False)


def heading(title: str) -> None:
    """Print where a new part begins."""
    console.print(f"\n{title}", style="bold", markup=False)


def fail(sentence: str) -> None:
    """Print what went wrong and what to do."""
    errors.print(sentence, style="red", markup=False, soft_wrap=True)


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; the first column is text, the others are right-aligned."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    console.print(table)


def watch(studio: Studio, job: Job, timeout_s: float = 3600) -> Job:
    """Follow a job with a progress bar until it ends. Raises its error as a StudioError."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[doing]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(job.title or job.kind, total=1.0, doing="")

        def show(state: Job) -> None:
            bar.update(task, completed=state.progress, doing=state.progress_text)

        done = studio.jobs.wait(job.id, timeout_s, show)
        bar.update(task, completed=1.0, doing="done")
    return done
