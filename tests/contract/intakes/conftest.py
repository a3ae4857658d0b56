"""One gateway with its database for all intakes, and models that answer in OpenAI's and in Anthropic's form."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from storage.database import Database
from storage.repositories.feedback import FeedbackRepository
from storage.repositories.logs import LogEntryRepository
from storage.tables import Feedback, LogEntry, Project
from studio.access.actor import Actor
from studio.access.keys import ApiKeys
from studio.access.providers import Providers
from studio.access.secrets import SecretBox
from studio.capture.drain import Drain
from studio.deploy.router import RoutingTable
from studio.gateway.compose import build_gateway
from studio.settings import Settings
from tests.fakes.gateway_thread import serving
from tests.fakes.speaking import SpeakingUpstream

MODEL, CLAUDE = "gpt-4o-mini", "claude-sonnet"
PATIENCE = {"OTEL_EXPORTER_OTLP_TIMEOUT": "120", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "120", "LANGFUSE_TIMEOUT": "120"}
"""Exporters give up after a few seconds otherwise, and a busy machine is no reason to fail."""
PRICES = {MODEL: {"prompt": 1.0, "completion": 2.0}}


@dataclass
class Stand:
    """What a test of an intake touches; each test has a project of its own."""

    settings: Settings
    database: Database
    url: str
    upstream_url: str
    upstream: SpeakingUpstream
    project: Project
    secret: str
    drain: Drain = field(init=False)

    def __post_init__(self) -> None:
        self.drain = Drain(self.database, self.settings.journal)

    @property
    def web(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {self.secret}"}, timeout=60)

    def calls(self) -> list[LogEntry]:
        """The project's calls in order of arrival."""
        self.drain.once()
        with self.database.read() as session:
            found = LogEntryRepository(session).find(project_id=self.project.id)
        return sorted(found, key=lambda call: call.id or 0)

    def call(self) -> LogEntry:
        [found] = self.calls()
        return found

    def feedback(self, call: LogEntry) -> list[Feedback]:
        self.drain.once()
        self._look_for_what_waits()
        with self.database.read() as session:
            return FeedbackRepository(session).of_entry(call.id or 0)

    def _look_for_what_waits(self) -> None:
        """At once, however long it would wait by itself."""
        held = self.drain.held
        held._tried_at = float("-inf")
        for waiting in held._all().values():
            waiting.next_at = 0.0
        self.drain.once()

    def said(self, call: LogEntry) -> set[tuple[str, str, float | None, str | None]]:
        return {(one.kind, one.name, one.value, one.text) for one in self.feedback(call)}


@dataclass
class Running:
    settings: Settings
    database: Database
    url: str
    upstream_url: str
    upstream: SpeakingUpstream


@contextmanager
def _models() -> Iterator[tuple[SpeakingUpstream, str]]:
    fake, listening = SpeakingUpstream(), socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(fake, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=lambda: server.run(sockets=[listening]), daemon=True)
    thread.start()
    try:
        yield fake, f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(60)
        listening.close()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("intakes")
    settings = Settings(home=home, max_body_mb=1)
    settings.root.mkdir(parents=True, exist_ok=True)
    shutil.copy(migrated_file, settings.root / "studio.db")
    database, secrets = Database(settings.database), SecretBox(settings.secrets)
    gateway = build_gateway(
        settings,
        keys=ApiKeys(database),
        load_table=lambda: RoutingTable.load(database, secrets),
        on_argilla=print,
        database=database,
    )
    with _models() as (upstream, upstream_url), serving(gateway) as url:
        yield Running(settings, database, url, upstream_url, upstream)
    database.close()


@pytest.fixture
def stand(running: Running, request: pytest.FixtureRequest) -> Stand:
    os.environ |= PATIENCE
    actor = Actor.operator()
    with running.database.write() as session:
        project = Project(name=request.node.name[:100])
        session.add(project)
    _, secret = ApiKeys(running.database).create(actor, project.id, "tests")
    parts: dict[str, Any] = vars(running)
    return Stand(**parts, project=project, secret=secret)


@pytest.fixture
def serves(stand: Stand) -> Stand:
    """The same with models behind the gateway."""
    providers = Providers(stand.database, SecretBox(stand.settings.secrets))
    actor, base = Actor.operator(), f"{stand.upstream_url}/v1"
    providers.save(actor, stand.project.id, "openai", base, "sk-provider-0123456789abcdef", [MODEL], PRICES)
    providers.save(
        actor, stand.project.id, "anthropic", base, "sk-ant-0123456789abcdef", [CLAUDE], {}, kind="anthropic"
    )
    _wait_until_known(stand)
    return stand


def _wait_until_known(stand: Stand) -> None:
    wait = _within(60)
    while MODEL not in stand.web.get("/v1/models").text:
        wait("the models never became known")


def _within(seconds: float) -> Callable[[str], None]:
    end = time.monotonic() + seconds

    def wait(reason: str) -> None:
        assert time.monotonic() < end, reason
        time.sleep(0.05)

    return wait
