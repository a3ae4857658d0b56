"""Serving places as commands: where models are served besides this machine, and whether each one answers."""

from __future__ import annotations

from typing import Annotated

import typer

from storage.tables import ServingPlace
from studio.access.actor import Actor
from studio.access.places import Health
from studio.bootstrap import Studio, build_studio
from studio.cli.places import AskKey, Check, Options, options_of
from studio.cli.terminal import fail, say, show_table
from studio.errors import InvalidInput

ME = Actor.operator()
Kind = Annotated[str, typer.Option("--kind", help="tgi, vllm, vllm_server, external, endpoints, fireworks, together.")]
Delete = Annotated[bool, typer.Option("--delete", help="Forget the place and its key.")]


def serving_places(check: Check = False) -> None:
    """List the places where models are served besides this machine."""
    studio = build_studio()
    found = [_row(studio, place, check) for place in studio.serving_places.all()]
    show_table("Serving places", ("place", "kind", "address", *(("answers",) if check else ())), found)


def serving_place(
    name: str, kind: Kind = "", url: str = "", option: Options = None, ask_key: AskKey = False, delete: Delete = False
) -> None:
    """Save a serving place, or change the one with this name, and ask it whether it answers."""
    studio = build_studio()
    known = studio.serving_places.find(name)
    if delete:
        return _forget(studio, name, known)
    if not kind and known is None:
        raise InvalidInput("Say what kind of place it is with --kind.")
    key = typer.prompt("Key", hide_input=True) if ask_key else ""
    kept = (known.kind, known.url, known.options) if known else ("", "", {})
    options = {**kept[2], **options_of(option)}
    saved = studio.serving_places.save(ME, name, kind or kept[0], url or kept[1], key, options)
    _tell(saved.name, studio.serving_places.check(ME, saved.id))


def _forget(studio: Studio, name: str, place: ServingPlace | None) -> None:
    if place is None:
        raise InvalidInput(f"There is no serving place “{name}”.")
    studio.serving_places.delete(ME, place.id)
    say(f"{name} is forgotten.")


def _tell(name: str, health: Health) -> None:
    (say if health.ok else fail)(f"{name}: {health.sentence}")
    for warning in health.warnings:
        say(warning)


def _row(studio: Studio, place: ServingPlace, check: bool) -> tuple[object, ...]:
    said = (studio.serving_places.check(ME, place.id).sentence,) if check else ()
    return (place.name, place.kind, place.url or "–", *said)


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    for command in (serving_places, serving_place):
        app.command()(command)
