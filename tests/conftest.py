"""Real things for tests: a migrated database file, an artifact store, settings on a temporary home, actors."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from storage.artifacts import Artifacts
from storage.database import Database
from storage.migrate import migrate
from storage.tables import Person, Project, SignIn
from storage.types import now
from studio.access.actor import Actor, Role
from studio.settings import Settings

# A busy machine is no reason to fail, and the same examples are tried every time.
hypothesis_settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("steady")


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file at the newest schema, copied for each test."""
    path = tmp_path_factory.mktemp("schema") / "studio.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """What a test puts into the environment, training's settings too, ends with it."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def database(settings: Settings, migrated_file: Path) -> Iterator[Database]:
    settings.root.mkdir(parents=True, exist_ok=True)
    shutil.copy(migrated_file, settings.root / "studio.db")
    opened = Database(settings.database)
    yield opened
    opened.close()


@pytest.fixture
def artifacts(settings: Settings) -> Artifacts:
    return Artifacts(settings.artifacts)


@pytest.fixture
def project(database: Database) -> Project:
    with database.write() as session:
        made = Project(name="support")
        session.add(made)
    return made


@pytest.fixture
def operator() -> Actor:
    return Actor.operator()


@pytest.fixture
def sign_in(database: Database) -> Callable[[Role], Actor]:
    """Make a person with this role, signed in."""

    def make(role: Role) -> Actor:
        from datetime import timedelta

        with database.write() as session:
            person = Person(username=f"{role}-{now().timestamp()}", role=role)
            session.add(person)
            session.flush()
            token = f"{person.id:0>64}"
            session.add(SignIn(token_hash=token, person_id=person.id, expires_at=now() + timedelta(hours=1)))
        return Actor(person.username, role, person.id, token)

    return make


@pytest.fixture
def editor(sign_in: Callable[[Role], Actor]) -> Actor:
    return sign_in(Role.EDITOR)


@pytest.fixture
def viewer(sign_in: Callable[[Role], Actor]) -> Actor:
    return sign_in(Role.VIEWER)


@pytest.fixture
def free_port() -> Callable[[], int]:
    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

    return find
