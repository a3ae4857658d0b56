"""`studio`: the command tree and how errors reach the terminal."""

from __future__ import annotations

import sys

import typer

from studio.cli import (
    admin,
    demo,
    deploying,
    elsewhere,
    importing,
    journal,
    labeling,
    logs,
    loop,
    places,
    privacy,
    publishing,
    serving_places,
    training,
)
from studio.cli.terminal import fail
from studio.errors import StudioError

app = typer.Typer(
    name="studio",
    help="Whetstone: turn your own LLM traffic into a smaller, cheaper, better model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
admin.add_to(app)
loop.add_to(app)
importing.add_to(app)
journal.add_to(app)
logs.add_to(app)
privacy.add_to(app)
deploying.add_to(app)
training.add_to(app)
places.add_to(app)
serving_places.add_to(app)
elsewhere.add_to(app)
publishing.add_to(app)
labeling.add_to(app)
demo.add_to(app)


def main() -> None:
    """Run a command; a StudioError is one red sentence and exit code 1, a bug is a traceback."""
    try:
        app()
    except StudioError as error:
        fail(error.message)
        sys.exit(1)
