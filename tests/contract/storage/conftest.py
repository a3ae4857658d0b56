"""The same suite on SQLite and on PostgreSQL: `backend` gives empty databases, `stored` a migrated one."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from storage.database import Database
from storage.migrate import migrate
from storage.tables import Project
from tests.fakes.postgres import PostgresCluster, binaries


class Backend(Protocol):
    """Where a test gets databases from."""

    name: str

    def empty(self) -> str:
        """URL of a new, empty database."""
        ...

    def migrated(self) -> str:
        """URL of a new database at the newest schema."""
        ...


@dataclass
class Sqlite:
    folder: Path
    template: Path
    name: str = "sqlite"
    made: int = 0

    def empty(self) -> str:
        self.made += 1
        return f"sqlite:///{self.folder / f'db{self.made}.db'}"

    def migrated(self) -> str:
        url = self.empty()
        shutil.copy(self.template, url.removeprefix("sqlite:///"))
        return url


@dataclass
class Postgres:
    cluster: PostgresCluster
    template: str
    name: str = "postgresql"

    def empty(self) -> str:
        return self.cluster.url(self.cluster.new_database())

    def migrated(self) -> str:
        return self.cluster.url(self.cluster.new_database(self.template))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    found = binaries()
    if found is None:
        pytest.skip("PostgreSQL's initdb is NOT on this machine: the storage suite ran on SQLite only")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    cluster = PostgresCluster(found, port)
    try:
        cluster.start()
        template = cluster.new_database()
        migrate(cluster.url(template))
        yield Postgres(cluster, template)
    finally:
        cluster.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest, tmp_path: Path, migrated_file: Path) -> Backend:
    if request.param == "sqlite":
        return Sqlite(tmp_path, migrated_file)
    found: Postgres = request.getfixturevalue("postgres")
    return found


@pytest.fixture
def stored(backend: Backend) -> Iterator[Database]:
    opened = Database(backend.migrated())
    yield opened
    opened.close()


@pytest.fixture
def project(stored: Database) -> Project:
    """A project on either database."""
    with stored.write() as session:
        made = Project(name="support")
        session.add(made)
    return made
