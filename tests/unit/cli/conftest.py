"""Commands typed as an operator types them, on a studio of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from typer.testing import CliRunner

from storage.tables import Project
from studio.access.actor import Actor
from studio.bootstrap import Studio, build_studio
from studio.cli.app import app
from studio.settings import Settings


@pytest.fixture
def studio(database: object, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    monkeypatch.setenv("STUDIO_HOME", str(settings.home))
    made = build_studio()
    yield made
    made.database.close()


@pytest.fixture
def typed(studio: Studio) -> Callable[..., str]:
    """Runs a command and returns what it printed; its StudioError comes through."""

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, list(words))
        if done.exception:
            raise done.exception
        return done.output

    return run


@pytest.fixture
def project(studio: Studio) -> Project:
    return studio.projects.create(Actor.operator(), "support")
