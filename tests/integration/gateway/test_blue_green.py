"""Traffic moves between two servers while callers go on: nobody is failed, and everybody stays where they belong."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Deployment, Model, Project, Release, Revision
from studio.access.actor import Actor
from studio.access.keys import ApiKeys
from studio.deploy.deployments import Deployments
from studio.jobs.queue import Jobs
from studio.settings import Settings
from tests.fakes.traffic import Callers, users_at
from tests.integration.gateway.conftest import PATIENT_S, find_port, make_settings, running_gateway

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
ENOUGH = 12


@contextmanager
def model_server() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A model server in a process of its own, that can be killed."""
    port = find_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.fakes.upstream", "--port", str(port)], cwd=ROOT)
    try:
        _wait_until_it_listens(port, process)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(30)


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            httpx.post(f"http://127.0.0.1:{port}/", json={"model": "up-ok", "messages": []}, timeout=30)
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the model server never listened")


@pytest.fixture
def gateway_settings(tmp_path: Path, database: Database, settings: Settings) -> Settings:
    return make_settings(settings.home, find_port())


def ready_revision(database: Database, deployment: Deployment, number: int, url: str) -> Revision:
    """A revision that has passed its gates, on this server."""
    with database.write() as session:
        model = Model(project_id=deployment.project_id, name=f"model {number}", kind="tuned")
        session.add(model)
        session.flush()
        spec = {"served_name": "up-drip"}
        facts: Any = {"model_id": model.id, "number": number, "state": "ready", "endpoint": url, "spec": spec}
        made = Revision(deployment_id=deployment.id, dialect="openai", **facts)
        session.add(made)
    return made


def test_nobody_is_failed_through_canary_promotion_undo_a_killed_server_and_a_new_gateway(
    gateway_settings: Settings, database: Database, artifacts: Artifacts, project: Project, operator: Actor
) -> None:
    with database.write() as session:
        alias = Deployment(project_id=project.id, alias="triage")
        session.add(alias)
    _key, secret = ApiKeys(database).create(operator, project.id, "callers")
    deployments = Deployments(database, artifacts, Jobs(database), gateway_settings)
    users = users_at(0.05, 0.3, 0.6, 0.9)
    with model_server() as (_blue, blue_url), model_server() as (green_process, green_url):
        blue = ready_revision(database, alias, 1, blue_url)
        with database.write() as session:
            routes = [{"model_id": blue.model_id, "revision_id": blue.id, "weight": 100}]
            session.add(Release(deployment_id=alias.id, number=1, routes=routes))
        with (
            running_gateway(gateway_settings, PATIENT_S) as gateway,
            Callers(gateway_settings.gateway_url, secret, "triage", users) as callers,
        ):
            callers.until_answers(ENOUGH)
            green = ready_revision(database, alias, 2, green_url)

            deployments.shift(operator, green.id, 20)
            since = callers.until_answered_by(green.id, users[0])
            callers.until_answers(ENOUGH, users[1:])
            assert routes_of(callers, since, users[0]) == {green.id}
            assert {route for user in users[1:] for route in routes_of(callers, since, user)} == {blue.id}

            deployments.shift(operator, green.id, 100)
            since = max(callers.until_answered_by(green.id, user) for user in users)
            callers.until_answers(ENOUGH)
            assert {told.route for told in callers.answers(since)} == {green.id}

            deployments.undo(operator, alias.id)
            since = callers.until_answered_by(blue.id, users[3])
            callers.until_answers(ENOUGH, users[:1])
            assert routes_of(callers, since, users[0]) == {green.id}

            deployments.shift(operator, green.id, 50)
            callers.until_answered_by(green.id, users[1])
            killed = time.monotonic()
            os.kill(green_process.pid, signal.SIGKILL)
            green_process.wait(30)
            kept = keep_closed(green_url)
            dead = time.monotonic()
            callers.until_answers(ENOUGH, users[:2])
            assert {told.route for told in callers.answers(dead)} == {blue.id}

            stopping = time.monotonic()
            gateway.send_signal(signal.SIGTERM)
            gateway.wait(60)
            with running_gateway(gateway_settings, PATIENT_S):
                back = time.monotonic()
                callers.until_answers(ENOUGH)
                callers.stop()
        kept.close()

    cuts = [told for told in callers.troubles() if told.trouble == "cut"]
    refused = [told for told in callers.troubles() if told.trouble == "refused"]
    assert len(cuts) + len(refused) == len(callers.troubles()), callers.troubles()
    # An answer that has begun cannot go on elsewhere: only streams of the killed server, under way at that moment.
    assert all(told.stream and told.route == green.id and told.started <= dead for told in cuts)
    assert all(told.ended >= killed for told in cuts) and len(cuts) <= len(users)
    # While the only gateway starts anew there is nobody to connect to, and clients try again.
    assert all(told.ended >= stopping and told.started <= back for told in refused)


def keep_closed(url: str) -> socket.socket:
    """Hold a dead server's port, so that nobody else on this machine listens there meanwhile."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with suppress(OSError):  # somebody's own connection out has it already: nobody listens there either
        held.bind(("127.0.0.1", int(url.rpartition(":")[2])))
    return held


def routes_of(callers: Callers, since: float, user: str) -> set[str]:
    """Who answered this user's calls that began since then."""
    return {told.route for told in callers.answers(since, [user])}
