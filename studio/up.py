"""`studio up`: prepares the data folder once, then keeps every process of the studio running under one supervisor."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import studio
from studio.errors import Conflict
from studio.jobs.locks import take_lock
from studio.ports import holder, is_free
from studio.settings import Settings
from studio.supervisor import Child, Supervisor

SOURCE = Path(studio.__file__).parent.parent
LAUNCH_ARGILLA = Path(studio.__file__).parent / "label" / "argilla_server" / "launch.py"


def run(
    settings: Settings,
    children_of: Callable[[Settings], list[Child]] | None = None,
    prepare_with: Callable[[Settings], list[str]] | None = None,
) -> None:
    """Run the studio until Ctrl-C. Raises Conflict when it already runs here or a port is taken."""
    wanted = (children_of or children)(settings)
    lock = _only_one(settings)
    try:
        refuse_taken_ports(settings, wanted)
        _supervise(settings, wanted, (prepare_with or prepare)(settings))
    finally:
        os.close(lock)


def _supervise(settings: Settings, wanted: Sequence[Child], notes: list[str]) -> None:
    supervisor = Supervisor(wanted)

    def announce() -> None:
        supervisor.say_all([*addresses(settings), *notes])
        notes.clear()

    supervisor.on_ready = announce
    try:
        supervisor.run()
    finally:
        supervisor.say_all(notes)  # a one-time link must not be lost because something did not become ready


def prepare(settings: Settings) -> list[str]:
    """Migrate the database and, on the first start, make the admin. Returns lines for the operator."""
    from storage.database import Database
    from storage.migrate import migrate
    from studio.access.people import People
    from studio.access.secrets import SecretBox

    migrate(settings.database)
    database = Database(settings.database)
    made = People(database, SecretBox(settings.secrets)).first_admin()
    database.close()
    if made is None:
        return []
    person, token = made
    link = f"{settings.web_url}/auth/link?token={token}"
    return [f"First start: sign in as {person.username} with this link. It works once:", f"  {link}"]


def children(settings: Settings) -> list[Child]:
    """Every process of the studio."""
    found = [
        _module(settings, "web", "studio.ui.server", settings.web_port, "STUDIO_WEB_PORT", "/health"),
        _module(settings, "gateway", "studio.gateway", settings.gateway_port, "STUDIO_GATEWAY_PORT", "/health"),
        _module(settings, "recorder", "studio.capture.drain"),
        _module(settings, "worker", "studio.worker"),
    ]
    if not settings.argilla_url and settings.argilla_python.exists():
        found.append(_argilla(settings))
    if settings.sample_port:
        found.append(_sample(settings))
    return found


def addresses(settings: Settings) -> list[str]:
    """Where everything is, for the operator."""
    labeling = settings.argilla_url or f"http://127.0.0.1:{settings.argilla_port}"
    if not settings.argilla_url and not settings.argilla_python.exists():
        labeling = f"off: {settings.argilla_python} is missing; `make run` installs it"
    return [
        "Everything is up. Ctrl-C stops it all.",
        f"  Studio    {settings.web_url}",
        f"  Gateway   {settings.gateway_url}/v1  (the base_url for your client)",
        f"  Labeling  {labeling}",
    ]


def refuse_taken_ports(settings: Settings, children: Sequence[Child]) -> None:
    """Raise Conflict naming each port that is taken, by whom, and the setting that changes it."""
    taken = [child for child in children if child.port and not is_free(settings.host, child.port)]
    if taken:
        raise Conflict(" ".join(_taken(child) for child in taken) + " Nothing was started.")


def _taken(child: Child) -> str:
    by = holder(child.port)
    held = (
        f"Port {child.port} ({child.name}) is taken by {by}." if by else f"Port {child.port} ({child.name}) is taken."
    )
    return f"{held} Stop that process, or choose another port with {child.setting}."


def _only_one(settings: Settings) -> int:
    path = settings.root / "up.lock"
    descriptor = take_lock(path)
    if descriptor is None:
        by = path.read_text().strip()
        raise Conflict(
            f"The studio is already running on {settings.root} (process {by}): open {settings.web_url}. "
            "To run a second one, give it its own STUDIO_HOME and ports."
        )
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def _module(
    settings: Settings, name: str, module: str, port: int = 0, setting: str = "", health: str = "", *more: str
) -> Child:
    url = f"http://127.0.0.1:{port}{health}" if health else ""
    argv = [sys.executable, "-m", module, *more]
    return Child(name, argv, _environment(settings), url, port, setting, cwd=str(SOURCE))


def _sample(settings: Settings) -> Child:
    port = settings.sample_port
    where = ("--port", str(port))
    return _module(settings, "sample", "studio.demo.teacher", port, "STUDIO_SAMPLE_PORT", "/health", *where)


def _argilla(settings: Settings) -> Child:
    port = settings.argilla_port
    argv = [str(settings.argilla_python.absolute()), str(LAUNCH_ARGILLA), "--home", str(settings.argilla_home)]
    argv += ["--host", settings.host, "--port", str(port)]
    argv += ["--webhook", f"{settings.gateway_url}/webhooks/argilla"]
    ready = f"http://127.0.0.1:{port}/api/v1/version"
    return Child("argilla", argv, _environment(settings), ready, port, "STUDIO_ARGILLA_PORT")


def _environment(settings: Settings) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH", "")]))
    return {**settings.environment(), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
