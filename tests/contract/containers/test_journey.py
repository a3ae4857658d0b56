"""From a model's weights to a container that answers, through the deploy job, the reconciler, the SDK and an engine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Model, Project, Provider, Revision
from studio.access.actor import Actor
from studio.access.secrets import SecretBox
from studio.deploy.deployments import Deployments
from studio.deploy.gates import GATES
from studio.deploy.jobs import deploy
from studio.deploy.places import ServingPlaces
from studio.deploy.reconcile import reconcile, stop_servers
from studio.deploy.router import RoutingTable
from studio.errors import Conflict
from studio.jobs.context import JobContext
from studio.jobs.queue import Jobs
from studio.settings import Settings
from tests.fakes.engine_api import FakeEngine
from tests.fakes.tgi import FakeTgi

MESSAGES = [{"role": "user", "content": "My seat is broken."}]
PROMPT = FakeTgi().prompt(MESSAGES)
TUNED, BASE = [1, 2, 3], [4, 5, 6]
NO_TENSORS = "\2" + "\0" * 7 + "{}"


class Host:
    """A studio whose place `gpu-1` is the engine, with a reconcile loop as the worker runs it."""

    def __init__(
        self, settings: Settings, database: Database, artifacts: Artifacts, project: Project, engine: FakeEngine
    ) -> None:
        self.settings, self.database, self.artifacts, self.project = settings, database, artifacts, project
        self.engine, self.actor = engine, Actor.operator()
        self.deployments = Deployments(database, artifacts, Jobs(database), settings)
        places = ServingPlaces(database, SecretBox(settings.secrets))
        self.place = places.save(self.actor, "gpu-1", "tgi", engine.url, options={"gpu": "none"})
        assert places.check(self.actor, self.place.id).ok
        self._stop = threading.Event()
        self._loop: threading.Thread | None = None

    def start_worker(self) -> None:
        """Reconcile again and again."""
        self._stop = threading.Event()
        self._loop = threading.Thread(target=self._reconcile_until_stopped)
        self._loop.start()

    def stop_worker(self) -> None:
        """End the loop; containers go on."""
        self._stop.set()
        if self._loop is not None:
            self._loop.join()

    def _reconcile_until_stopped(self) -> None:
        while not self._stop.wait(0.05):
            reconcile(self.database, self.settings, self.artifacts)

    def model(self, folder: Path, answers: list[int]) -> Model:
        """A tuned model whose weights make a server answer like this."""
        folder.mkdir()
        files = {
            "config.json": '{"model_type": "llama"}',
            "tokenizer.json": "{}",
            "tokenizer_config.json": '{"chat_template": "x"}',
            "model.safetensors": NO_TENSORS,
            "answers.json": json.dumps({PROMPT: answers}),
        }
        for name, text in files.items():
            (folder / name).write_text(text)
        golden = {"messages": MESSAGES, "text": PROMPT, "tuned_tokens": TUNED, "base_tokens": BASE}
        facts = {"golden": {"prompts": [golden]}}
        digest = self.artifacts.save_folder(folder)
        with self.database.write() as session:
            model = Model(project_id=self.project.id, name=folder.name, kind="tuned", digest=digest, facts=facts)
            session.add(model)
        return model

    def teacher(self) -> Model:
        """A provider's model that answers before and after."""
        with self.database.write() as session:
            provider = Provider(project_id=self.project.id, name="provider", base_url="http://127.0.0.1:9/v1")
            session.add(provider)
            session.flush()
            facts = {"kind": "provider", "provider_id": provider.id, "provider_model": "big"}
            session.add(model := Model(project_id=self.project.id, name="teacher", **facts))
        return model

    def deploy(self, model: Model) -> Revision:
        """Deploy it there and run the job, here and now."""
        made = self.deployments.deploy(
            self.actor, self.project.id, "triage", model.id, "tgi", place_id=self.place.id, form="merged"
        )
        spec = {"revision_id": made.id}
        root = self.settings.root
        deploy(JobContext("job", 1, "deploy", spec, root, self.settings, self.database, self.artifacts))
        return self.deployments.revision(made.id)

    def wait_for(self, revision_id: str, holds: Callable[[Revision], bool]) -> Revision:
        """The revision once this holds."""
        deadline = time.monotonic() + 60
        while not holds(found := self.deployments.revision(revision_id)):
            assert time.monotonic() < deadline, f"still {found.state}: {found.error}"
            time.sleep(0.05)
        return found


@pytest.fixture
def host(
    settings: Settings, database: Database, artifacts: Artifacts, project: Project, engine: FakeEngine
) -> Iterator[Host]:
    engine.runs = True
    made = Host(settings, database, artifacts, project, engine)
    made.start_worker()
    yield made
    made.stop_worker()


def gates(revision: Revision) -> dict[str, Any]:
    return {entry["gate"]: entry["passed"] for entry in revision.certificate}


def test_a_model_is_served_in_a_container_found_again_replaced_after_a_crash_and_stopped(
    host: Host, tmp_path: Path
) -> None:
    host.deployments.ensure_alias(host.actor, host.project.id, "triage", host.teacher().id)
    revision = host.deploy(host.model(tmp_path / "tuned", TUNED))
    assert revision.state == "ready" and gates(revision) == dict.fromkeys(GATES, True)
    labels = host.engine.only().body["Labels"]
    assert labels == {"studio.revision": revision.id, "studio.deployment": revision.deployment_id}

    host.deployments.shift(host.actor, revision.id, 100)
    table = RoutingTable.load(host.database, SecretBox(host.settings.secrets))
    route = table.pick(host.project.id, "triage")
    assert route is not None and (route.upstream_model, route.dialect) == ("triage-r1", "tgi")
    assert route.base_url == f"{revision.endpoint}/v1"

    host.stop_worker()
    stop_servers(host.database, host.settings, host.artifacts)
    assert host.engine.only().status == "running"
    with host.database.write() as session:  # the worker died between the launch and writing it down
        row = session.get_one(Revision, revision.id)
        row.handle, row.endpoint, row.state = "", "", "restarting"
    host.start_worker()
    again = host.wait_for(revision.id, lambda row: row.state == "ready")
    assert (again.handle, again.endpoint) == (revision.handle, revision.endpoint)
    assert len(host.engine.made) == 1

    process = host.engine.only().process
    assert process is not None
    process.kill()
    after = host.wait_for(revision.id, lambda row: row.state == "ready" and row.handle not in ("", revision.handle))
    (crash,) = [event for event in host.deployments.events(after.deployment_id) if event.what == "crashed"]
    assert crash.detail["exit_code"] == 137 and "listening on" in crash.detail["log"]

    host.deployments.undo(host.actor, revision.deployment_id)
    host.deployments.stop(host.actor, revision.id)
    host.wait_for(revision.id, lambda row: row.state == "stopped")
    assert host.engine.containers == {}


def test_the_base_in_a_container_does_not_pass_and_its_container_is_removed(host: Host, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="like the base"):
        host.deploy(host.model(tmp_path / "wrong", BASE))
    (revision,) = host.deployments.revisions(host.deployments.all(host.project.id)[0].id)
    failed = host.wait_for(revision.id, lambda row: row.state == "failed" and not row.handle)
    assert gates(failed)["golden"] is False and host.engine.containers == {}


def test_a_missing_image_ends_the_deployment_with_the_command_that_fetches_it(host: Host, tmp_path: Path) -> None:
    host.engine.images.clear()
    with pytest.raises(Conflict, match="docker pull ghcr"):
        host.deploy(host.model(tmp_path / "tuned", TUNED))
    assert host.engine.made == []
