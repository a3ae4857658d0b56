"""Privacy as commands: what a project writes down, a text tried on it, and a user forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studio.access.actor import Actor
from studio.bootstrap import build_studio
from studio.capture.privacy.detectors import DETECTORS
from studio.capture.privacy.policy import Policy
from studio.cli.find import ProjectName, project_named
from studio.cli.terminal import say, show_table, watch

FOREVER = 0


def privacy(
    project: ProjectName = "",
    record: Annotated[str, typer.Option(help="full, metadata (facts, no text) or off.")] = "",
    detect: Annotated[str, typer.Option(help="Kinds to take out, with commas; all, or none.")] = "",
    pattern: Annotated[list[str] | None, typer.Option(help="Your own, NAME=REGEX; replaces those there are.")] = None,
    pseudonyms: Annotated[bool | None, typer.Option(help="Whether admins can read values again.")] = None,
    days: Annotated[int | None, typer.Option(help="Days that calls are kept; 0 for ever.")] = None,
    try_file: Annotated[Path | None, typer.Option("--try", help="Show a text file as it would be written.")] = None,
) -> None:
    """Show what a project writes down of its calls, or change it."""
    studio = build_studio()
    found = project_named(studio, project)
    before = studio.privacy.policy(found.id)
    wanted = Policy(
        record or before.record,
        _kinds(detect) if detect else before.detectors,
        _patterns(pattern) if pattern is not None else before.patterns,
        before.pseudonyms if pseudonyms is None else pseudonyms,
        before.retention_days if days is None else days or None,
    )
    if try_file:
        say(studio.privacy.preview(found.id, try_file.read_text(), wanted).text)
        return
    if wanted != before:
        rest = {name: value for name, value in vars(wanted).items() if name != "record"}
        wanted = studio.privacy.save(Actor.operator(), found.id, record_what=wanted.record, **rest)
    show_table(f"Privacy of {found.name}", ("what", "how"), _rows(wanted))


def forget_user(user: str, project: ProjectName = "", yes: Annotated[bool, typer.Option("--yes")] = False) -> None:
    """Delete everything that was recorded of one user, in every stage of the loop. A worker must run."""
    studio = build_studio()
    found = project_named(studio, project)
    if not yes:
        typer.confirm(f"Delete everything of {user} in {found.name}? This cannot be undone.", abort=True)
    job = watch(studio, studio.privacy.forget_user(Actor.operator(), found.id, user))
    report = job.result or {}
    show_table("Deleted", ("what", "how many"), [(k.replace("_", " "), v) for k, v in report.items() if type(v) is int])
    for model in report.get("models_that_learned", []):
        say(f"{model['name']} learned from this user's calls; it was not deleted.")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(privacy)
    app.command("forget-user")(forget_user)


def _kinds(told: str) -> tuple[str, ...]:
    if told in ("all", "none"):
        return tuple(DETECTORS) if told == "all" else ()
    return tuple(name.strip() for name in told.split(",") if name.strip())


def _patterns(told: list[str]) -> tuple[tuple[str, str], ...]:
    pairs = (each.partition("=") for each in told)
    return tuple((name, pattern) for name, _, pattern in pairs)


def _rows(policy: Policy) -> list[tuple[str, str]]:
    return [
        ("record", policy.record),
        ("taken out", ", ".join(("keys", *policy.detectors))),
        ("own patterns", ", ".join(name for name, _ in policy.patterns) or "none"),
        ("pseudonyms", "on" if policy.pseudonyms else "off"),
        ("kept", f"{policy.retention_days} days" if policy.retention_days else "for ever"),
    ]
