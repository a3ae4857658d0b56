import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Model, Project, Provider, Revision
from studio.access.actor import Actor
from studio.access.projects import Projects
from studio.deploy.deployments import Deployments
from studio.deploy.reconcile import reconcile, stop_servers
from studio.jobs.context import JobContext
from studio.jobs.queue import Jobs
from studio.settings import Settings
from tests.fakes.serving import make_tiny_models


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_models(tmp_path_factory.mktemp("models"))


class Workplace:
    """Everything a deployment needs, with a reconcile loop as the worker runs it."""

    def __init__(self, settings: Settings, database: Database, artifacts: Artifacts, models: Path) -> None:
        self.settings, self.database, self.artifacts, self.models = settings, database, artifacts, models
        self.actor = Actor.operator()
        self.jobs = Jobs(database)
        self.deployments = Deployments(database, artifacts, self.jobs, settings)
        self.project: Project = Projects(database).create(self.actor, "triage")
        self._stop = threading.Event()
        self._loop: threading.Thread | None = None

    def start_worker(self) -> None:
        """Reconcile every 0.2 s."""
        self._stop.clear()
        self._loop = threading.Thread(target=self._reconcile_until_stopped)
        self._loop.start()

    def stop_worker(self) -> None:
        """End the loop; servers go on."""
        self._stop.set()
        if self._loop:
            self._loop.join()

    def restart_worker_that_forgot(self, revision_id: str) -> None:
        """A new worker, after one that died between starting the server and writing that down."""
        self.stop_worker()
        with self.database.write() as session:
            row = session.get_one(Revision, revision_id)
            row.handle, row.endpoint, row.state = "", "", "restarting"
        self.start_worker()

    def _reconcile_until_stopped(self) -> None:
        while not self._stop.wait(0.2):
            reconcile(self.database, self.settings, self.artifacts)

    def add_provider_model(self) -> Model:
        """A provider's model to start the alias on."""
        with self.database.write() as session:
            provider = Provider(project_id=self.project.id, name="teacher", base_url="http://127.0.0.1:9/v1")
            session.add(provider)
            session.flush()
            model = Model(
                project_id=self.project.id,
                name="teacher",
                kind="provider",
                provider_id=provider.id,
                provider_model="teacher",
            )
            session.add(model)
        return model

    def add_tuned_model(self, name: str, weights: str = "tuned") -> Model:
        """A tuned model with the golden answers of `tuned`, and these weights."""
        digest = self.artifacts.save_folder(self.models / weights)
        golden = json.loads((self.models / "golden.json").read_text())
        with self.database.write() as session:
            model = Model(project_id=self.project.id, name=name, kind="tuned", digest=digest, facts={"golden": golden})
            model.parameters = 200_000
            session.add(model)
        return model

    def run_job(self, revision_id: str) -> dict[str, object]:
        """The deploy job of this revision, here and now."""
        from studio.deploy.jobs import deploy

        spec = {"revision_id": revision_id}
        return deploy(
            JobContext("job", 1, "deploy", spec, self.settings.root, self.settings, self.database, self.artifacts)
        )


@pytest.fixture
def workplace(settings: Settings, database: Database, artifacts: Artifacts, tiny_models: Path) -> Iterator[Workplace]:
    made = Workplace(settings, database, artifacts, tiny_models)
    made.start_worker()
    yield made
    made.stop_worker()
    stop_servers(database, settings, artifacts)
