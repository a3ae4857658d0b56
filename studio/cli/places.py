"""Places as commands: where runs may happen, and whether each one answers."""

from __future__ import annotations

from typing import Annotated

import typer

from storage.tables import ComputeTarget
from studio.access.actor import Actor
from studio.bootstrap import Studio, build_studio
from studio.cli.terminal import fail, say, show_table
from studio.errors import InvalidInput

ME = Actor.operator()
Check = Annotated[bool, typer.Option("--check", help="Ask every place whether it answers.")]
Kind = Annotated[str, typer.Option("--kind", help="accelerate, ray, hf_jobs, together, fireworks, openai or bedrock.")]
Options = Annotated[list[str] | None, typer.Option("--option", help="name=value; repeat for more.")]
AskKey = Annotated[bool, typer.Option("--ask-key", help="Ask for its key or token, without showing it.")]
Price = Annotated[float, typer.Option("--price", help="USD an hour there costs.")]


def places(check: Check = False) -> None:
    """List the places where runs may happen besides this machine."""
    studio = build_studio()
    found = [_row(studio, place, check) for place in studio.places.all()]
    show_table("Places", ("place", "kind", "address", "USD an hour", *(("answers",) if check else ())), found)


def place(
    name: str, kind: Kind, url: str = "", option: Options = None, ask_key: AskKey = False, price: Price = 0.0
) -> None:
    """Save a place, or change the one with this name, and ask it whether it answers."""
    studio = build_studio()
    key = typer.prompt("Key", hide_input=True) if ask_key else ""
    saved = studio.places.save(ME, name, kind, url, key, options_of(option), price)
    health = studio.places.check(ME, saved.id)
    (say if health.ok else fail)(f"{saved.name}: {health.sentence}")


def _row(studio: Studio, place: ComputeTarget, check: bool) -> tuple[object, ...]:
    said = (studio.places.check(ME, place.id).sentence,) if check else ()
    return (place.name, place.kind, place.url or "–", f"{place.price_per_hour:g}", *said)


def options_of(given: list[str] | None) -> dict[str, str]:
    """`name=value` pairs. Raises InvalidInput."""
    pairs = [each.partition("=") for each in given or ()]
    if any(not middle for _name, middle, _value in pairs):
        raise InvalidInput("Write options as name=value.")
    return {name.strip(): value for name, _middle, value in pairs}


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    for command in (places, place):
        app.command()(command)
