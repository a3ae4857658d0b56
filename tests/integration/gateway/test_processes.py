"""Several gateway processes on one port: every call is recorded and counted once, whoever answered it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest
from sqlmodel import select

from storage.database import Database
from storage.repositories.logs import LogEntryRepository
from storage.tables import Deployment
from storage.tables.deployments import TrafficMinute
from studio.capture.drain import Drain
from tests.fakes.upstream import serve
from tests.integration.gateway.conftest import PATIENT_S, fill, find_port, make_settings, running_gateway

pytestmark = pytest.mark.slow

ASK = {"model": "triage", "messages": [{"role": "user", "content": "Hi"}]}


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_several_processes_share_the_port_and_their_figures_add_up(
    tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDIO_GATEWAY_PROCESSES", "2")
    settings, port = make_settings(tmp_path / "home", find_port()), find_port()
    settings.root.mkdir()
    shutil.copy(migrated_file, settings.root / "studio.db")
    database = Database(settings.database)
    calls = 0
    with serve(port):
        address = f"http://127.0.0.1:{port}"
        project, secret, _ = fill(database, settings, address, address)
        with running_gateway(settings, PATIENT_S) as keeper:

            def pids() -> set[int]:
                return {child.pid for child in psutil.Process(keeper.pid).children()}

            def ask() -> bool:
                """One call on a connection of its own; whether both processes have recorded something by now."""
                nonlocal calls
                headers = {"authorization": f"Bearer {secret}"}
                url = f"{settings.gateway_url}/v1/chat/completions"
                calls += httpx.post(url, json=ASK, headers=headers, timeout=PATIENT_S).status_code == 200
                return {int(path.stem.split("-")[1]) for path in settings.journal.glob("[0-9]*.journal")} >= pids()

            wait_for(lambda: len(pids()) == 2)
            first = pids()
            wait_for(ask)
            psutil.Process(min(first)).kill()
            wait_for(lambda: len(pids()) == 2 and pids() != first)
            health = f"{settings.gateway_url}/health"
            wait_for(lambda: httpx.get(health, timeout=PATIENT_S).status_code == 200)
            last = pids()
        assert not any(psutil.pid_exists(pid) for pid in last)
    Drain(database, settings.journal).once()
    with database.read() as session:
        assert len(LogEntryRepository(session).find(project_id=project.id)) == calls
        alias = session.exec(select(Deployment.id).where(Deployment.alias == "triage")).one()
        counted = session.exec(select(TrafficMinute).where(TrafficMinute.deployment_id == alias)).all()
        assert 0 < sum(minute.calls for minute in counted) <= calls  # a killed process loses up to two seconds of them
    database.close()
