"""Passing a model on as commands: its card, a push to the Hub or a folder, a bundle that another server starts from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from studio.access.actor import Actor
from studio.bootstrap import build_studio
from studio.cli.find import ProjectName, model_named, project_named
from studio.cli.terminal import say, watch
from studio.deploy.publish.destinations import Source
from studio.errors import InvalidInput

ME = Actor.operator()
Out = Annotated[Path | None, typer.Option("--out", help="Zip to write; in this folder when left out.")]
Chosen = Annotated[list[str] | None, typer.Option("--set", help="An option of the tool, as name=value.")]
Where = Annotated[
    str,
    typer.Argument(help="hub:organisation/name, fireworks:account/model, together:model, a folder, or s3://bucket/x."),
]
From = Annotated[str, typer.Option("--source", help="For Together: a Hub repository or an archive's signed address.")]
KEYS = {"hub": "HF_TOKEN", "fireworks": "FIREWORKS_API_KEY", "together": "TOGETHER_API_KEY"}


def model_card(model: str, project: ProjectName = "") -> None:
    """Print a model's card: data, recipe, scores with intervals, licence, who approved it."""
    studio = build_studio()
    found = model_named(studio, project_named(studio, project), model)
    print(studio.publishing.card(found.id))


def publish(model: str, where: Where, public: bool = False, source: From = "", project: ProjectName = "") -> None:
    """Push a model and its card. Keys: HF_TOKEN, FIREWORKS_API_KEY, TOGETHER_API_KEY. Private unless --public."""
    studio = build_studio()
    found = model_named(studio, project_named(studio, project), model)
    kind = where.partition(":")[0]
    key = os.environ.get(KEYS[kind], "") if kind in KEYS else ""
    fetched = Source(source, os.environ.get("HF_TOKEN", "")) if kind == "together" else None
    watch(studio, studio.publishing.publish(ME, found.id, where, key=key, private=not public, source=fetched))
    say(f"{found.name} is at {studio.publishing.published(found.id)[0]['where']}.")


def launch_bundle(model: str, tool: str, out: Out = None, chosen: Chosen = None, project: ProjectName = "") -> None:
    """Write a model as a zip that sglang, tensorrt_llm, fireworks, together or bedrock serves."""
    studio = build_studio()
    found = model_named(studio, project_named(studio, project), model)
    path = out or Path(f"{found.id}-{tool}.zip")
    studio.launch_bundles.write(found.id, tool, path, dict(_pair(each) for each in chosen or []))
    say(f"{path} holds weights, scripts and a client for {tool}. Its README says what to run.")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput(f"Write an option as name=value, not {text!r}.")
    return name.strip(), value.strip()


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("model-card")(model_card)
    app.command("publish")(publish)
    app.command("launch-bundle")(launch_bundle)
