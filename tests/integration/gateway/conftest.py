"""The real gateway process beside a real upstream, a real database, and the real `openai` client."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI

from storage.database import Database
from storage.tables import Deployment, LogEntry, Model, Project, Provider, Release
from studio.access.actor import Actor
from studio.access.keys import ApiKeys
from studio.access.providers import Providers
from studio.access.secrets import SecretBox
from studio.capture.drain import Drain
from studio.capture.logs import Logs
from studio.settings import Settings
from tests.fakes.upstream import MODELS, FakeUpstream, serve

HALF = ("unwell", "busy", "broken", "failed", "refuses", "cut", "silent", "picky", "polite")
"""Moods of which there is an alias with a healthy standby."""
PATIENT_S = 60.0
UPSTREAM_KEY = "sk-provider-0123456789abcdefghijklmnop"


@dataclass
class Stack:
    """Everything a gateway test touches."""

    settings: Settings
    database: Database
    project: Project
    secret: str
    key_id: str
    upstream: FakeUpstream
    url: str
    process: subprocess.Popen[bytes]
    upstream_port: int = 0

    @property
    def client(self) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key=self.secret, max_retries=0, timeout=60)

    @property
    def web(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {self.secret}"}, timeout=60)

    def drain(self) -> int:
        return Drain(self.database, self.settings.journal).once()

    def entry(self, uid: str, wait_s: float = 60.0) -> LogEntry:
        """The recorded call, once it has arrived."""
        deadline = time.monotonic() + wait_s
        while True:
            self.drain()
            found = [row for row in self.all_entries() if row.uid == uid]
            if found or time.monotonic() > deadline:
                return found[0]
            time.sleep(0.05)

    def newest(self) -> LogEntry:
        self.drain()
        return self.all_entries()[-1]

    def all_entries(self) -> list[LogEntry]:
        from storage.repositories.logs import LogEntryRepository

        with self.database.read() as session:
            return LogEntryRepository(session).find(project_id=self.project.id)

    @property
    def logs(self) -> Logs:
        return Logs(self.database)


@contextmanager
def running_gateway(
    settings: Settings, timeout_s: float = 3, max_body_mb: int = 1, before: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    """The real process; `before` is what its Python does first."""
    environment = {
        **os.environ,
        "STUDIO_HOME": str(settings.home),
        "STUDIO_GATEWAY_PORT": str(settings.gateway_port),
        "STUDIO_UPSTREAM_TIMEOUT_S": str(timeout_s),
        "STUDIO_MAX_BODY_MB": str(max_body_mb),
    }
    code = f"{before}\nfrom studio.gateway.__main__ import main\nmain()"
    command = ["-c", code] if before else ["-m", "studio.gateway"]
    process = subprocess.Popen([sys.executable, *command], env=environment)
    try:
        _wait_until_healthy(f"http://127.0.0.1:{settings.gateway_port}", process)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, "the gateway ended at once"
        try:
            if httpx.get(f"{url}/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the gateway never became healthy")


def fill(database: Database, settings: Settings, upstream_url: str, dead_url: str) -> tuple[Project, str, str]:
    """A project with a key, the fake upstream as provider, and the alias `triage` on it."""
    actor = Actor.operator()
    with database.write() as session:
        project = Project(name="support")
        session.add(project)
    providers = Providers(database, SecretBox(settings.secrets))
    prices = {"up-ok": {"prompt": 1.0, "completion": 2.0}}
    models = [f"up-{mood}" for mood in MODELS]
    provider = providers.save(actor, project.id, "fake", f"{upstream_url}/v1", UPSTREAM_KEY, models, prices)
    dead = providers.save(actor, project.id, "dead", f"{dead_url}/v1", UPSTREAM_KEY, ["dead"], {})
    _alias(database, project.id, "triage", [(provider, "up-ok", 100)])
    _alias(database, project.id, "half-dead", [(dead, "dead", 100), (provider, "up-ok", 0)])
    for mood in HALF:
        _alias(database, project.id, f"half-{mood}", [(provider, f"up-{mood}", 100), (provider, "up-ok", 0)])
    _alias(database, project.id, "late", [(provider, "up-slow", 100), (provider, "up-ok", 0)], {"timeout_s": 0.2})
    _alias(database, project.id, "mute", [(provider, "up-mute", 100), (provider, "up-ok", 0)], {"timeout_s": 0.2})
    _alias(database, project.id, "canary", [(provider, "up-ok", 50), (provider, "up-dated", 50)])
    key, secret = ApiKeys(database).create(actor, project.id, "tests")
    return project, secret, key.id


def _alias(
    database: Database,
    project_id: str,
    alias: str,
    routes: list[tuple[Provider, str, int]],
    rules: dict[str, Any] | None = None,
) -> None:
    with database.write() as session:
        deployment = Deployment(project_id=project_id, alias=alias, rules=rules or {})
        session.add(deployment)
        session.flush()
        spec = []
        for provider, name, weight in routes:
            model = Model(
                project_id=project_id,
                name=f"{alias}-{name}",
                kind="provider",
                provider_id=provider.id,
                provider_model=name,
            )
            session.add(model)
            session.flush()
            spec.append({"model_id": model.id, "revision_id": None, "weight": weight})
        session.add(Release(deployment_id=deployment.id, number=1, routes=spec))


def make_settings(home: Path, port: int) -> Settings:
    return Settings(home=home, gateway_port=port, upstream_timeout_s=1, max_body_mb=1)


def find_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_stack(home: Path, migrated_file: Path, timeout_s: float = 3) -> Iterator[Stack]:
    settings = make_settings(home, find_port())
    home.mkdir(parents=True)
    shutil.copy(migrated_file, home / "studio.db")
    database, upstream_port = Database(settings.database), find_port()
    with serve(upstream_port) as upstream:
        url = f"http://127.0.0.1:{upstream_port}"
        project, secret, key_id = fill(database, settings, url, f"http://127.0.0.1:{find_port()}")
        with running_gateway(settings, timeout_s) as process:
            yield Stack(
                settings, database, project, secret, key_id, upstream, settings.gateway_url, process, upstream_port
            )
    database.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("gateway") / "home", migrated_file) as made:
        yield made


@pytest.fixture(scope="module")
def patient_stack(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Stack]:
    """A stack that gives up no server because the machine is busy."""
    with running_stack(tmp_path_factory.mktemp("gateway") / "home", migrated_file, PATIENT_S) as made:
        yield made


@pytest.fixture
def own_stack(tmp_path: Path, migrated_file: Path) -> Iterator[Stack]:
    """A stack that the test may break."""
    with running_stack(tmp_path / "home", migrated_file) as made:
        yield made


@pytest.fixture
def again() -> Callable[[Settings], object]:
    return running_gateway
