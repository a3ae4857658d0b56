"""The real gateway process before an upstream that speaks every format."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from anthropic import Anthropic
from openai import OpenAI

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.logs import LogEntryRepository
from storage.tables import LogEntry, Project
from studio.access.actor import Actor
from studio.access.keys import Allowed, ApiKeys
from studio.access.providers import Providers
from studio.access.secrets import SecretBox
from studio.capture.drain import Drain
from studio.deploy.deployments import Deployments
from studio.deploy.splitting import ProviderShare
from studio.jobs.queue import Jobs
from studio.settings import Settings
from tests.fakes.speaking import Got, SpeakingUpstream, speaking

ME = Actor.operator()
OPENAI_KEY, ANTHROPIC_KEY = "sk-openai-0123456789abcdefghij", "sk-ant-0123456789abcdefghij"
PATIENT_S = 60.0
PRICES = {"prompt": 10.0, "completion": 20.0, "cached": 1.0, "cache_write": 12.5}


@dataclass
class Place:
    """Everything these tests touch."""

    settings: Settings
    database: Database
    project: Project
    secret: str
    upstream: SpeakingUpstream

    @property
    def url(self) -> str:
        return self.settings.gateway_url

    @property
    def openai(self) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key=self.secret, max_retries=0, timeout=60)

    @property
    def anthropic(self) -> Anthropic:
        return Anthropic(base_url=self.url, api_key=self.secret, max_retries=0, timeout=60)

    @property
    def got(self) -> Got:
        """What the upstream was sent last."""
        return self.upstream.got[-1]

    def key(self, name: str, allowed: Allowed) -> str:
        return ApiKeys(self.database).create(ME, self.project.id, name, allowed)[1]

    def entry(self, uid: str) -> LogEntry:
        """The recorded call, once it has arrived."""
        deadline = time.monotonic() + PATIENT_S
        while True:
            Drain(self.database, self.settings.journal).once()
            with self.database.read() as session:
                found = LogEntryRepository(session).find_one(uid=uid)
            if found is not None:
                return found
            assert time.monotonic() < deadline, "the call was never recorded"
            time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="package")
def place(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("endpoints") / "home"
    home.mkdir()
    shutil.copy(migrated_file, home / "studio.db")
    settings = Settings(home=home, gateway_port=free_port())
    database, port = Database(settings.database), free_port()
    with speaking(port) as upstream:
        project, secret = _fill(database, settings, f"http://127.0.0.1:{port}/v1")
        process = _start(settings)
        try:
            yield Place(settings, database, project, secret, upstream)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    database.close()


def _fill(database: Database, settings: Settings, url: str) -> tuple[Project, str]:
    with database.write() as session:
        project = Project(name="support")
        session.add(project)
    providers = Providers(database, SecretBox(settings.secrets))
    both = {"gpt": PRICES, "claude": PRICES}
    providers.save(ME, project.id, "openai", url, OPENAI_KEY, ["gpt", "cut"], both)
    names = ["claude", "busy", "late-error", "cut"]
    providers.save(ME, project.id, "anthropic", url, ANTHROPIC_KEY, names, both, kind="anthropic")
    deployments = Deployments(database, Artifacts(settings.artifacts), Jobs(database), settings)
    shares = [ProviderShare("openai", "gpt", 100), ProviderShare("anthropic", "claude", 0)]
    deployments.split(ME, project.id, "triage", shares)
    return project, ApiKeys(database).create(ME, project.id, "tests")[1]


def _start(settings: Settings) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "STUDIO_HOME": str(settings.home),
        "STUDIO_GATEWAY_PORT": str(settings.gateway_port),
    }
    process = subprocess.Popen([sys.executable, "-m", "studio.gateway"], env=environment)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, "the gateway ended at once"
        try:
            if httpx.get(f"{settings.gateway_url}/health").status_code == 200:
                return process
        except httpx.TransportError:
            time.sleep(0.05)
    process.kill()
    raise AssertionError("the gateway never became healthy")
