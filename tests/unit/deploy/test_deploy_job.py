"""The deploy job: to ready with its evidence, or to failed with its reason; resumable, cancellable."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Model, Project, Revision, ServingPlace
from studio.access.actor import Actor
from studio.deploy.artifact import export
from studio.deploy.deployments import Deployments
from studio.deploy.gates import GATES
from studio.deploy.jobs import deploy
from studio.deploy.reconcile import reconcile
from studio.errors import Conflict, StudioError
from studio.jobs.context import JobCancelled, JobContext
from studio.settings import Settings
from tests.fakes.target import FakeTarget
from tests.fakes.tgi import FakeTgi

MESSAGES = [{"role": "user", "content": "My seat is broken."}]
EMPTY = "\2" + "\0" * 7 + "{}"
"""A safetensors file without tensors."""
SOME = '{"model_type": "llama"}'
PROMPT = FakeTgi().prompt(MESSAGES)


@pytest.fixture
def revision(
    database: Database,
    deployments: Deployments,
    operator: Actor,
    project: Project,
    tuned: Callable[[str], Model],
    target: type[FakeTarget],
) -> Revision:
    model = tuned("tuned")
    prompt = {"messages": MESSAGES, "text": PROMPT, "tuned_tokens": [1, 2, 3], "base_tokens": [4, 5, 6]}
    with database.write() as session:
        session.get_one(Model, model.id).facts = {"golden": {"prompts": [prompt]}}
    target.answers = {PROMPT: [1, 2, 3]}
    return deployments.deploy(operator, project.id, "triage", model.id, "fake")


@pytest.fixture
def worker(database: Database, settings: Settings, artifacts: Artifacts, target: type[FakeTarget]) -> Iterator[None]:
    """Reconciles beside the job."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(0.05):
            reconcile(database, settings, artifacts)

    thread = threading.Thread(target=loop)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.fixture
def run(
    database: Database, settings: Settings, artifacts: Artifacts, revision: Revision
) -> Callable[..., dict[str, Any]]:
    def run_job(**hooks: Any) -> dict[str, Any]:
        spec = {"revision_id": revision.id}
        return deploy(JobContext("job", 1, "deploy", spec, settings.root, settings, database, artifacts, **hooks))

    return run_job


@pytest.mark.usefixtures("worker")
def test_a_revision_becomes_ready_with_every_gates_evidence(
    run: Callable[..., dict[str, Any]], deployments: Deployments, revision: Revision
) -> None:
    told: list[str] = []
    assert run(on_report=lambda _progress, text: told.append(text)) == {"revision_id": revision.id, "number": 1}
    found = deployments.revision(revision.id)
    assert found.state == "ready" and found.error is None
    assert [entry["gate"] for entry in found.certificate] == [*GATES]
    assert told[0] == "Checking that the target can serve it" and "Gate: golden" in told


@pytest.mark.usefixtures("worker")
def test_a_finished_deployment_is_not_done_again(
    run: Callable[..., dict[str, Any]], target: type[FakeTarget], revision: Revision
) -> None:
    run()
    assert run() == {"revision_id": revision.id, "number": 1}
    assert len(target.launched) == 1


@pytest.mark.usefixtures("worker")
def test_wrong_weights_fail_with_the_reason_and_the_servers_last_words(
    run: Callable[..., dict[str, Any]], deployments: Deployments, target: type[FakeTarget], revision: Revision
) -> None:
    target.answers = {PROMPT: [4, 5, 6]}
    with pytest.raises(Conflict, match="like the base"):
        run()
    found = deployments.revision(revision.id)
    assert (found.state, found.desired) == ("failed", "stopped") and "like the base" in str(found.error)
    failed = next(event for event in deployments.events(revision.deployment_id) if event.what == "failed")
    assert failed.detail["log"].startswith("the last words of server-1")


@pytest.mark.usefixtures("worker")
def test_a_failed_deployment_can_be_tried_again(
    run: Callable[..., dict[str, Any]], deployments: Deployments, target: type[FakeTarget], revision: Revision
) -> None:
    target.answers = {PROMPT: [4, 5, 6]}
    with pytest.raises(Conflict):
        run()
    target.answers = {PROMPT: [1, 2, 3]}
    run()
    found = deployments.revision(revision.id)
    assert (found.state, found.desired, found.error) == ("ready", "running", None)
    assert len(target.launched) == 2


@pytest.mark.usefixtures("worker")
def test_a_cancelled_deployment_says_so_and_leaves_no_server(
    run: Callable[..., dict[str, Any]], deployments: Deployments, revision: Revision
) -> None:
    with pytest.raises(JobCancelled):
        run(stop_asked=lambda: True)
    found = deployments.revision(revision.id)
    assert (found.state, found.desired, found.error) == ("failed", "stopped", "The deployment was cancelled.")


def test_weights_that_are_gone_are_named_before_anything_starts(
    artifacts: Artifacts, settings: Settings, tuned: Callable[[str], Model]
) -> None:
    with pytest.raises(Conflict, match="missing from the artifact store"):
        export(artifacts, settings, tuned("tuned"))


@pytest.mark.parametrize(
    ("leave_out", "says"),
    [
        ("tokenizer.json", "tokenizer.json is missing"),
        ("model.safetensors", "no weights"),
        ("chat_template.jinja", "no chat template"),
    ],
)
def test_a_folder_that_no_server_could_load_is_refused_with_the_reason(
    artifacts: Artifacts, settings: Settings, tmp_path: Path, leave_out: str, says: str
) -> None:
    files = {
        "config.json": SOME,
        "tokenizer.json": SOME,
        "tokenizer_config.json": SOME,
        "model.safetensors": EMPTY,
        "chat_template.jinja": "{{ messages }}",
    }
    (tmp_path / "weights").mkdir()
    for name, text in files.items():
        if name != leave_out:
            (tmp_path / "weights" / name).write_text(text)
    model = Model(project_id="p", name="tuned", kind="tuned", digest=artifacts.save_folder(tmp_path / "weights"))
    with pytest.raises(Conflict, match=says):
        export(artifacts, settings, model)


def test_an_exported_folder_is_portable_and_shared_by_its_digest(
    artifacts: Artifacts, settings: Settings, tmp_path: Path
) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "config.json").write_text('{"rope_parameters": {"rope_theta": 10.0, "rope_type": "default"}}')
    for name, text in {"tokenizer.json": "{}", "tokenizer_config.json": '{"chat_template": "x"}'}.items():
        (weights / name).write_text(text)
    (weights / "model.safetensors").write_text(EMPTY)
    model = Model(project_id="p", name="tuned", kind="tuned", digest=artifacts.save_folder(weights))
    folder = export(artifacts, settings, model)
    assert folder == export(artifacts, settings, model) and folder.name == model.digest
    assert "rope_parameters" not in (folder / "config.json").read_text()


def test_what_speaks_against_a_model_ends_the_job_before_anything_starts(
    deployments: Deployments,
    database: Database,
    settings: Settings,
    artifacts: Artifacts,
    operator: Actor,
    project: Project,
    tuned: Callable[[str], Model],
) -> None:
    model = tuned("gone")
    (problem,) = deployments.preflight(project.id, model.id)
    assert problem.blocking and "The weights of gone are not here" in problem.text
    made = deployments.deploy(operator, project.id, "triage", model.id)
    with pytest.raises(Conflict, match="The weights of gone are not here"):
        deploy(JobContext("job", 1, "deploy", {"revision_id": made.id}, settings.root, settings, database, artifacts))
    events = [event.what for event in deployments.events(made.deployment_id)]
    assert deployments.revision(made.id).state == "failed" and events == ["failed", "preflight", "created"]


def test_the_form_is_settled_by_the_job_and_recorded(
    run: Callable[..., dict[str, Any]], deployments: Deployments, revision: Revision, worker: None
) -> None:
    assert revision.form == "auto"
    run()
    found = deployments.revision(revision.id)
    assert (found.form, found.digest) == ("merged", "0" * 64)
    checked = next(event for event in deployments.events(found.deployment_id) if event.what == "checked")
    assert checked.detail["why"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"form": "liquid"}, "no form 'liquid'. Use auto or merged or adapter"),
        ({"strategy": "hope"}, "no strategy 'hope'"),
        ({"place_id": "nowhere"}, "place of this revision was deleted"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_at_once(
    deployments: Deployments, operator: Actor, project: Project, revision: Revision, options: dict[str, str], says: str
) -> None:
    with pytest.raises(StudioError, match=says):
        deployments.deploy(operator, project.id, "triage", revision.model_id, "fake", **options)  # type: ignore[arg-type]


def test_a_place_of_another_kind_is_refused_and_its_own_kind_is_used(
    deployments: Deployments, database: Database, operator: Actor, project: Project, revision: Revision
) -> None:
    with database.write() as session:
        other, own = ServingPlace(name="gpu-1", kind="tgi"), ServingPlace(name="lab", kind="fake")
        session.add_all([other, own])
    with pytest.raises(StudioError, match="gpu-1 is a place for tgi, not for fake"):
        deployments.deploy(operator, project.id, "triage", revision.model_id, "fake", place_id=other.id)
    assert deployments.deploy(operator, project.id, "triage", revision.model_id, "fake", place_id=own.id).place_id
