"""Commands of the operator: start the studio, migrate, people, keys, projects."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from storage.types import now
from studio.access.actor import Actor, Role
from studio.access.keys import Allowed
from studio.bootstrap import build_studio
from studio.cli.terminal import say, show_table
from studio.settings import Settings


def up() -> None:
    """Start the web app, gateway, recorder, worker and Argilla under one supervisor."""
    from studio.up import run

    run(Settings())


def migrate() -> None:
    """Bring the database to the newest schema, keeping a copy of it first; an empty one gets its first admin."""
    from storage.migrate import migrate as migrate_database
    from studio.up import prepare

    settings = Settings()
    for line in prepare(settings):
        say(line)
    say(f"Database is at revision {migrate_database(settings.database)}.")


def worker() -> None:
    """Run one worker in the foreground (compose runs each process on its own)."""
    from studio.worker import main

    main()


def gateway() -> None:
    """Run the recording gateway in the foreground."""
    from studio.gateway.__main__ import main

    main()


def recorder() -> None:
    """Drain the gateway's journal into the database."""
    from studio.capture.drain import main

    main()


def web() -> None:
    """Run the web app in the foreground."""
    from studio.ui.server import main

    main()


def sign_in_link(username: str) -> None:
    """Print a one-time sign-in link for a person who cannot get in."""
    studio = build_studio()
    token = studio.people.link_for(Actor.operator(), username)
    say(f"{studio.settings.web_url}/auth/link?token={token}")


def person(username: str, role: Annotated[Role, typer.Option(help="What they may do.")] = Role.EDITOR) -> None:
    """Invite a teammate; prints their one-time sign-in link."""
    studio = build_studio()
    token = studio.people.invite(Actor.operator(), username, role)
    say(f"{studio.settings.web_url}/auth/link?token={token}")


def key(
    project: str,
    name: str,
    scope: Annotated[list[str] | None, typer.Option(help="infer, report, feedback or read; all but read.")] = None,
    days: Annotated[int, typer.Option(help="Days until it expires; 0 for never.")] = 0,
    calls: Annotated[int, typer.Option(help="Calls to models a minute; 0 for no limit.")] = 0,
    tokens: Annotated[int, typer.Option(help="Tokens a minute; 0 for no limit.")] = 0,
) -> None:
    """Create an API key for a project; shown once."""
    studio = build_studio()
    found = studio.projects.find(project) or studio.projects.create(Actor.operator(), project)
    ends = now() + timedelta(days=days) if days else None
    allowed = Allowed(tuple(scope or ()), ends, calls or None, tokens or None)
    _, secret = studio.keys.create(Actor.operator(), found.id, name, allowed)
    say(secret)


def projects() -> None:
    """List projects."""
    rows = [(each.name, each.id, each.description) for each in build_studio().projects.all()]
    show_table("Projects", ("name", "id", "about"), rows)


def jobs(limit: int = 15) -> None:
    """List the newest jobs."""
    found = build_studio().jobs.recent(None, limit)
    rows = [(each.title or each.kind, each.status, f"{each.progress:.0%}", each.error or "") for each in found]
    show_table("Jobs", ("job", "state", "progress", "error"), rows)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (up, migrate, web, worker, gateway, recorder, projects, jobs, person, key):
        app.command()(command)
    app.command("sign-in-link")(sign_in_link)
