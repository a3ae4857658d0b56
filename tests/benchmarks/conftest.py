"""A studio with a data folder of its own and a real worker, for benchmarks that walk the loop."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.migrate import migrate
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio, build_studio
from studio.settings import Settings

TEAMMATES = ("mia", "noah")


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    settings = Settings(home=tmp_path / "home")
    migrate(settings.database)
    with _worker(settings):
        built = build_studio(settings)
        for name in TEAMMATES:
            built.people.create(Actor.operator(), name, "a long password", Role.LABELER)
        yield built


@contextmanager
def _worker(settings: Settings) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.fakes.jobs_worker"]
    worker = subprocess.Popen(command, env=os.environ | settings.environment(), stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(30)
