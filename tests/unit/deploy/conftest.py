from collections.abc import Callable, Iterator

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Model, Project, Provider
from studio.deploy.deployments import Deployments
from studio.deploy.targets import catalog
from studio.jobs.queue import Jobs
from studio.settings import Settings
from tests.fakes.target import FakeTarget


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeTarget]]:
    """A target named `fake`, with no servers."""
    monkeypatch.setitem(catalog.TARGETS, "fake", "tests.fakes.target:FakeTarget")
    yield FakeTarget
    FakeTarget.reset()


@pytest.fixture
def deployments(database: Database, artifacts: Artifacts, settings: Settings) -> Deployments:
    return Deployments(database, artifacts, Jobs(database), settings)


@pytest.fixture
def teacher(database: Database, project: Project) -> Model:
    with database.write() as session:
        provider = Provider(project_id=project.id, name="provider", base_url="http://upstream/v1")
        session.add(provider)
        session.flush()
        model = Model(
            project_id=project.id, name="teacher", kind="provider", provider_id=provider.id, provider_model="big"
        )
        session.add(model)
    return model


@pytest.fixture
def tuned(database: Database, project: Project) -> Callable[[str], Model]:
    def make(name: str) -> Model:
        with database.write() as session:
            model = Model(project_id=project.id, name=name, kind="tuned", digest="0" * 64)
            session.add(model)
        return model

    return make
