"""Aliases, revisions and releases: who may do what, and what is kept."""

from collections.abc import Callable
from typing import Any

import pytest

from storage.database import Database
from storage.tables import Job, Model, Project, Revision
from studio.access.actor import Actor
from studio.access.secrets import SecretBox
from studio.deploy.deployments import Deployments
from studio.errors import Conflict, InvalidInput, NotAllowed, NotFound
from studio.settings import Settings
from tests.fakes.target import FakeTarget

MakeModel = Callable[[str], Model]


@pytest.fixture
def revision(
    deployments: Deployments,
    editor: Actor,
    project: Project,
    teacher: Model,
    tuned: MakeModel,
    target: type[FakeTarget],
) -> Revision:
    """A revision behind an alias that the teacher answers."""
    deployments.ensure_alias(editor, project.id, "triage", teacher.id)
    return deployments.deploy(editor, project.id, "triage", tuned("tuned").id, "fake")


def set_row(database: Database, revision: Revision, **values: Any) -> None:
    with database.write() as session:
        row = session.get_one(Revision, revision.id)
        for name, value in values.items():
            setattr(row, name, value)


def test_an_alias_starts_with_all_its_calls_on_the_providers_model(
    deployments: Deployments, editor: Actor, project: Project, teacher: Model
) -> None:
    made = deployments.ensure_alias(editor, project.id, "triage", teacher.id)
    again = deployments.ensure_alias(editor, project.id, "triage", teacher.id)
    release = deployments.current(made.id)
    assert again.id == made.id and release is not None and release.number == 1
    assert release.routes == [{"model_id": teacher.id, "revision_id": None, "weight": 100}]


@pytest.mark.parametrize("alias", ["", "  ", "two words", "x" * 121])
def test_an_alias_is_a_usable_model_name(
    deployments: Deployments, editor: Actor, project: Project, teacher: Model, alias: str
) -> None:
    with pytest.raises(InvalidInput, match="alias"):
        deployments.ensure_alias(editor, project.id, alias, teacher.id)


def test_deploying_queues_a_job_and_moves_no_traffic(
    deployments: Deployments, database: Database, revision: Revision, teacher: Model
) -> None:
    with database.read() as session:
        job = session.get_one(Job, revision.spec["job_id"])
    assert (job.kind, job.spec, job.status) == ("deploy", {"revision_id": revision.id}, "queued")
    release = deployments.current(revision.deployment_id)
    assert release is not None and [route["model_id"] for route in release.routes] == [teacher.id]
    assert revision.spec["served_name"] == "triage-r1" and revision.number == 1


def test_a_revisions_key_is_kept_sealed_and_its_own(
    deployments: Deployments, settings: Settings, editor: Actor, project: Project, revision: Revision, tuned: MakeModel
) -> None:
    other = deployments.deploy(editor, project.id, "triage", tuned("second").id, "fake")
    box = SecretBox(settings.secrets)
    keys = [box.decrypt(row.spec["encrypted_key"]) for row in (revision, other)]
    assert len(keys[0]) > 30 and keys[0] != keys[1] and keys[0] not in str(revision.spec)


def test_a_model_without_weights_cannot_be_served_here(
    deployments: Deployments, editor: Actor, project: Project, teacher: Model
) -> None:
    with pytest.raises(InvalidInput, match="no weights"):
        deployments.deploy(editor, project.id, "triage", teacher.id, "embedded")


def test_an_unknown_target_is_named_with_the_known_ones(
    deployments: Deployments, editor: Actor, project: Project, tuned: MakeModel
) -> None:
    with pytest.raises(NotFound, match="embedded, endpoints, external"):
        deployments.deploy(editor, project.id, "triage", tuned("tuned").id, "moon")


def test_a_model_of_another_project_cannot_be_deployed(
    deployments: Deployments, editor: Actor, database: Database, tuned: MakeModel
) -> None:
    with database.write() as session:
        other = Project(name="other")
        session.add(other)
    with pytest.raises(NotFound):
        deployments.deploy(editor, other.id, "triage", tuned("tuned").id)


def test_a_revision_that_is_not_ready_cannot_have_traffic(
    deployments: Deployments, editor: Actor, revision: Revision
) -> None:
    with pytest.raises(Conflict, match="is created, not ready"):
        deployments.shift(editor, revision.id, 20)


def test_shift_and_undo_are_a_row_each(
    deployments: Deployments, database: Database, editor: Actor, revision: Revision, teacher: Model
) -> None:
    set_row(database, revision, state="ready")
    assert deployments.shift(editor, revision.id, 20).number == 2
    assert deployments.shift(editor, revision.id, 100, "looks good").reason == "looks good"
    undone = deployments.undo(editor, revision.deployment_id)
    assert {route["revision_id"]: route["weight"] for route in undone.routes} == {revision.id: 20, None: 80}
    again = deployments.undo(editor, revision.deployment_id)
    assert [route["model_id"] for route in again.routes] == [teacher.id]
    with pytest.raises(Conflict, match="no earlier"):
        deployments.undo(editor, revision.deployment_id)
    assert [release.number for release in deployments.releases(revision.deployment_id)] == [5, 4, 3, 2, 1]


def test_an_undo_wakes_the_stopped_server_it_needs(
    deployments: Deployments, database: Database, editor: Actor, revision: Revision, teacher: Model
) -> None:
    set_row(database, revision, state="ready", certificate=[{"gate": "golden", "passed": True, "evidence": {}}])
    deployments.shift(editor, revision.id, 100)
    routes = [{"model_id": teacher.id, "revision_id": None, "weight": 100}]
    deployments.release(editor, revision.deployment_id, routes, "back to the teacher")
    deployments.stop(editor, revision.id)
    deployments.undo(editor, revision.deployment_id)
    assert deployments.revision(revision.id).desired == "running"


def test_a_revision_with_traffic_cannot_be_stopped(
    deployments: Deployments, database: Database, editor: Actor, revision: Revision
) -> None:
    set_row(database, revision, state="ready")
    deployments.shift(editor, revision.id, 20)
    with pytest.raises(Conflict, match="has traffic"):
        deployments.stop(editor, revision.id)


def test_only_an_admin_overrides_gates_and_only_with_a_reason(
    deployments: Deployments, database: Database, editor: Actor, operator: Actor, revision: Revision
) -> None:
    set_row(database, revision, state="failed", desired="stopped", error="golden: no")
    with pytest.raises(Conflict, match="never came to its gates"):
        deployments.override_gates(operator, revision.id, "because")
    set_row(database, revision, certificate=[{"gate": "golden", "passed": False, "evidence": {"why": "no"}, "at": ""}])
    with pytest.raises(NotAllowed):
        deployments.override_gates(editor, revision.id, "because")
    with pytest.raises(InvalidInput):
        deployments.override_gates(operator, revision.id, "  ")
    found = deployments.override_gates(operator, revision.id, "tried by hand")
    assert found.certificate[-1]["evidence"] == {"reason": "tried by hand", "by": "operator"}
    assert (found.desired, found.state, found.error) == ("running", "restarting", None)


def test_gates_that_are_still_running_cannot_be_overridden(
    deployments: Deployments, operator: Actor, revision: Revision
) -> None:
    with pytest.raises(Conflict, match="still created"):
        deployments.override_gates(operator, revision.id, "in a hurry")


def test_a_revision_that_never_passed_cannot_be_started_again(
    deployments: Deployments, editor: Actor, revision: Revision
) -> None:
    with pytest.raises(Conflict, match="has not passed its gates"):
        deployments.restart(editor, revision.id)


@pytest.mark.parametrize("verb", ["deploy", "shift", "undo", "stop", "restart"])
def test_a_viewer_changes_nothing(
    deployments: Deployments, viewer: Actor, project: Project, revision: Revision, verb: str
) -> None:
    calls: dict[str, Callable[[], object]] = {
        "deploy": lambda: deployments.deploy(viewer, project.id, "triage", revision.model_id, "fake"),
        "shift": lambda: deployments.shift(viewer, revision.id, 20),
        "undo": lambda: deployments.undo(viewer, revision.deployment_id),
        "stop": lambda: deployments.stop(viewer, revision.id),
        "restart": lambda: deployments.restart(viewer, revision.id),
    }
    with pytest.raises(NotAllowed):
        calls[verb]()


def test_the_overview_proposes_copies_then_ever_larger_shares_then_nothing(
    deployments: Deployments, database: Database, editor: Actor, revision: Revision
) -> None:
    assert deployments.overview(revision.deployment_id).promotion is None
    set_row(database, revision, state="ready")
    proposed = []
    for _step in range(4):
        promotion = deployments.overview(revision.deployment_id).promotion
        assert promotion is not None
        proposed.append(promotion.label)
        deployments.promote(editor, revision.id)
    found = deployments.overview(revision.deployment_id)
    assert proposed == ["Shadow 20 %", "5 %", "50 %", "100 %"] and found.promotion is None
    assert [(share.name, share.weight) for share in found.shares] == [("tuned (revision 1)", 100), ("teacher", 0)]
    assert found.undoable is not None and found.undoable.number == 4
    assert found.events[0].what == "released"
