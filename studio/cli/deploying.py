"""Deploying as commands: serve a model, move its traffic in steps, take it back, and read what proved it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from storage.tables import Deployment, Release, Revision
from studio.access.actor import Actor
from studio.bootstrap import Studio, build_studio
from studio.cli.find import ProjectName, model_named, project_named
from studio.cli.places import Options, options_of
from studio.cli.terminal import say, show_table, watch
from studio.deploy.gates import certificate as proof_of
from studio.deploy.splitting import share_of
from studio.errors import Conflict, InvalidInput, NotFound

ME = Actor.operator()
Number = Annotated[int, typer.Option("--revision", "-r", help="Its number; the newest that is ready when left out.")]
Reason = Annotated[str, typer.Option(help="Kept with the release.")]
SHOWN = 12


def deploy(
    alias: str,
    model: str,
    target: Annotated[str, typer.Option(help="embedded, or the kind of a serving place.")] = "embedded",
    place: Annotated[str, typer.Option(help="A serving place by name.")] = "",
    form: Annotated[str, typer.Option(help="auto, merged or adapter.")] = "auto",
    recreate: Annotated[bool, typer.Option("--recreate", help="Only one fits: stop the alias's others first.")] = False,
    option: Options = None,
    project: ProjectName = "",
) -> None:
    """Serve a model behind the alias and prove that its weights answer; traffic does not move yet."""
    studio = build_studio()
    found = project_named(studio, project)
    spot = studio.serving_places.find(place) if place else None
    if place and spot is None:
        raise NotFound(f"There is no serving place {place!r}. List them with `studio serving-places`.")
    revision = studio.deployments.deploy(
        ME,
        found.id,
        alias,
        model_named(studio, found, model).id,
        spot.kind if spot else target,
        options_of(option),
        place_id=spot.id if spot else None,
        form=form,
        strategy="recreate" if recreate else "blue_green",
    )
    watch(studio, studio.jobs.get(revision.spec["job_id"]))
    say(f"Revision {revision.number} ({revision.id}) is ready. Give it calls with `studio promote {alias}`.")


def promote(alias: str, revision: Number = 0, reason: Reason = "", project: ProjectName = "") -> None:
    """Take the revision one step up: copies of 20 % of the calls, then 5, 50 and 100 % of them."""
    studio = build_studio()
    found = _deployment(studio, alias, project)
    _tell(studio, studio.deployments.promote(ME, _revision(studio, found, revision).id, reason))


def shadow(alias: str, percent: float, revision: Number = 0, reason: Reason = "", project: ProjectName = "") -> None:
    """Let a revision answer copies of this share of the calls, for nobody to see; 0 ends it."""
    studio = build_studio()
    found = _deployment(studio, alias, project)
    _tell(studio, studio.deployments.shadow(ME, _revision(studio, found, revision).id, percent, reason))


def shift(revision_id: str, percent: float, reason: Reason = "") -> None:
    """Give a ready revision this share of its alias's traffic."""
    studio = build_studio()
    _tell(studio, studio.deployments.shift(ME, revision_id, percent, reason))


def split(
    alias: str,
    shares: Annotated[list[str], typer.Argument(help="provider/model=percent, as openai/gpt-4.1=80; 0 is a fallback.")],
    reason: Reason = "",
    project: ProjectName = "",
) -> None:
    """Let several providers' models answer an alias, each with its share; made on first use."""
    studio = build_studio()
    found = project_named(studio, project)
    _tell(studio, studio.deployments.split(ME, found.id, alias, [share_of(each) for each in shares], reason))


def undo(alias: str, project: ProjectName = "") -> None:
    """Take the alias back to its previous traffic split, at once."""
    studio = build_studio()
    _tell(studio, studio.deployments.undo(ME, _deployment(studio, alias, project).id))


def releases(alias: str, project: ProjectName = "") -> None:
    """Every traffic split the alias had, newest first: who answered what, who approved it, and why."""
    studio = build_studio()
    rows = [
        (
            release.number,
            f"{release.created_at:%Y-%m-%d %H:%M}",
            release.created_by,
            _split(studio, release),
            release.reason,
        )
        for release in studio.deployments.releases(_deployment(studio, alias, project).id)
    ]
    show_table(f"Releases of {alias}", ("release", "at", "by", "split", "reason"), rows)


def certificate(alias: str, revision: Number = 0, project: ProjectName = "") -> None:
    """What proved that the right weights answer: the gates of a revision, and its golden answers."""
    studio = build_studio()
    row = _revision(studio, _deployment(studio, alias, project), revision, ready=False)
    say(f"Revision {row.number} of {alias}, {row.state}: weights {row.digest[:SHOWN] or 'unknown'} as {row.form}")
    show_table(
        "Gates",
        ("gate", "passed", "what it says"),
        [(entry["gate"], "yes" if entry["passed"] else "no", _said(entry["evidence"])) for entry in row.certificate],
    )
    if proof := proof_of(row.certificate):
        say(
            f"{proof.get('matches', 0)} of {proof.get('prompts', 0)} golden answers match, "
            f"{proof.get('telling', 0)} of them tell the tuned model from its base."
        )
        if proof.get("diff"):
            say(str(proof["diff"]))


def _said(evidence: dict[str, Any]) -> str:
    return str(evidence.get("why") or evidence.get("reason") or evidence.get("note") or "")


def _tell(studio: Studio, release: Release) -> None:
    say(f"Release {release.number}: {_split(studio, release)} ({release.reason})")


def _split(studio: Studio, release: Release) -> str:
    numbers = {row.id: f"revision {row.number}" for row in studio.deployments.revisions(release.deployment_id)}
    shares = [
        f"{numbers.get(route['revision_id']) or studio.models.get(route['model_id']).name} {route['weight']:g} %"
        for route in release.routes
    ]
    copies = [f"{numbers[shadow['revision_id']]} shadows {shadow['percent']:g} %" for shadow in release.shadows]
    return ", ".join([*shares, *copies])


def _deployment(studio: Studio, alias: str, project: str) -> Deployment:
    found = studio.deployments.find(project_named(studio, project).id, alias)
    if found is None:
        raise NotFound(f"No deployment answers to {alias!r} in this project.")
    return found


def _revision(studio: Studio, deployment: Deployment, number: int, ready: bool = True) -> Revision:
    rows = studio.deployments.revisions(deployment.id)
    if number:
        found = next((row for row in rows if row.number == number), None)
        if found is None:
            raise InvalidInput(f"{deployment.alias} has no revision {number}; it has {len(rows)}.")
        return found
    newest = next((row for row in rows if row.state == "ready" or not ready), None)
    if newest is None:
        raise Conflict(f"No revision of {deployment.alias} is ready. Deploy one with `studio deploy`.")
    return newest


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (deploy, promote, shadow, shift, split, undo, releases, certificate):
        app.command()(command)
