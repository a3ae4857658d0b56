"""A studio in processes of its own: on free ports and a temporary folder, with an admin, stopped afterwards."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from storage.database import Database
from storage.migrate import migrate
from studio.access.actor import Actor
from studio.access.people import People
from studio.access.secrets import SecretBox
from studio.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "a long enough one"
PATIENCE_S = 120.0


@dataclass(frozen=True)
class RunningStudio:
    """Where it answers, who may sign in, and what it said."""

    settings: Settings
    log: Path
    pids: tuple[int, ...]
    username: str = "admin"
    password: str = PASSWORD

    @property
    def url(self) -> str:
        """Base URL of the web app."""
        return self.settings.web_url

    def said(self) -> str:
        """Everything its processes wrote so far."""
        return self.log.read_text(errors="replace")


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on; all different."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def settings_in(home: Path, **more: object) -> Settings:
    """Settings on free ports, without Argilla unless asked for."""
    web, gateway, sample, argilla = free_ports(4)
    given = {"web_port": web, "gateway_port": gateway, "sample_port": sample, "argilla_port": argilla}
    return Settings(**{"home": home, "argilla_python": home / "no-argilla", **given, **more})


def make_admin(settings: Settings) -> None:
    """A migrated database with the admin `admin`, who has a password."""
    settings.root.mkdir(parents=True, exist_ok=True)
    migrate(settings.database)
    database = Database(settings.database)
    people = People(database, SecretBox(settings.secrets))
    made = people.first_admin()
    if made:
        people.set_password(Actor.operator(), made[0].id, PASSWORD)
    database.close()


@contextmanager
def running_studio(
    settings: Settings, modules: Sequence[Sequence[str]], ready: Sequence[str]
) -> Iterator[RunningStudio]:
    """Run `python -m` these until the ready URLs answer; stop them all at the end."""
    make_admin(settings)
    log = settings.root / "processes.log"
    with log.open("wb") as out:
        started = [_start(settings, module, out.fileno()) for module in modules]
    try:
        for url in ready:
            _wait(url, started, log)
        yield RunningStudio(settings, log, tuple(process.pid for process in started))
    finally:
        for process in started:
            _stop(process)


def _start(settings: Settings, module: Sequence[str], out: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **settings.environment(), "PYTHONUNBUFFERED": "1"}
    argv = [sys.executable, "-m", *module]
    return subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=out, stderr=out, start_new_session=True)


def _wait(url: str, processes: Sequence[subprocess.Popen[bytes]], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and all(process.poll() is None for process in processes):
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.HTTPError:
            pass  # not listening yet
        time.sleep(0.1)
    raise AssertionError(f"{url} did not answer; the log says:\n{log.read_text(errors='replace')[-4000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
