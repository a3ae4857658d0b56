"""What runs becomes what should run, step by step, and a worker that comes back goes on."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import DeploymentEvent, Job, Model, Project, Revision
from storage.types import now
from studio.access.actor import Actor
from studio.deploy.deployments import Deployments
from studio.deploy.reconcile import reconcile, stop_servers
from studio.settings import Settings
from tests.fakes.target import FakeTarget


class Deployed:
    """One revision, and the worker's loop by hand."""

    def __init__(self, database: Database, settings: Settings, artifacts: Artifacts, revision: Revision) -> None:
        self.database, self.settings, self.artifacts, self.id = database, settings, artifacts, revision.id

    @property
    def row(self) -> Revision:
        with self.database.read() as session:
            return session.get_one(Revision, self.id)

    def set(self, **values: object) -> None:
        with self.database.write() as session:
            row = session.get_one(Revision, self.id)
            for name, value in values.items():
                setattr(row, name, value)

    def passes(self, count: int = 1) -> None:
        for _pass in range(count):
            reconcile(self.database, self.settings, self.artifacts)

    def events(self) -> list[str]:
        with self.database.read() as session:
            rows = session.query(DeploymentEvent).filter_by(revision_id=self.id).order_by(DeploymentEvent.id)  # type: ignore[arg-type]
            return [row.what for row in rows]

    def let_time_pass(self, seconds: float) -> None:
        """As if everything had happened this much earlier."""
        with self.database.write() as session:
            for event in session.query(DeploymentEvent):
                event.at = event.at - timedelta(seconds=seconds)
            row = session.get_one(Revision, self.id)
            row.updated_at = now() - timedelta(seconds=seconds)


@pytest.fixture
def deployed(
    deployments: Deployments,
    database: Database,
    settings: Settings,
    artifacts: Artifacts,
    operator: Actor,
    project: Project,
    tuned: Callable[[str], Model],
    target: type[FakeTarget],
) -> Deployed:
    revision = deployments.deploy(operator, project.id, "triage", tuned("tuned").id, "fake")
    return Deployed(database, settings, artifacts, revision)


@pytest.fixture
def ready(deployed: Deployed) -> Deployed:
    deployed.set(state="launching")
    deployed.passes()
    deployed.set(state="ready")
    return deployed


def test_nothing_is_launched_before_the_job_asks(deployed: Deployed, target: type[FakeTarget]) -> None:
    deployed.passes(2)
    assert target.launched == [] and deployed.row.state == "created"


def test_a_revision_that_should_run_is_launched_once(deployed: Deployed, target: type[FakeTarget]) -> None:
    deployed.set(state="launching")
    deployed.passes(3)
    assert len(target.launched) == 1 and deployed.row.endpoint == target.servers["server-1"].url
    assert target.launched[0].api_key and target.launched[0].served_name == "triage-r1"


def test_a_crashed_server_comes_back_and_its_last_words_are_kept(
    ready: Deployed, target: type[FakeTarget], database: Database
) -> None:
    target.servers.clear()
    ready.passes()
    assert (ready.row.state, ready.row.endpoint) == ("restarting", "")
    ready.let_time_pass(5)
    ready.passes(2)
    assert (ready.row.state, ready.row.handle) == ("ready", "server-2")
    assert ready.events() == ["created", "launched", "crashed", "launched", "ready again"]
    with database.read() as session:
        crash = session.query(DeploymentEvent).filter_by(what="crashed").one()
    assert crash.detail == {"log": "the last words of server-1", "exit_code": 137}


def test_a_server_that_keeps_crashing_is_restarted_ever_later(ready: Deployed, target: type[FakeTarget]) -> None:
    target.crash_at_start = True
    target.servers.clear()
    launches = []
    for _second in range(40):
        ready.passes()
        launches.append(len(target.launched))
        ready.let_time_pass(1)
    assert launches[-1] < 10 and launches[-1] > 3


def test_a_server_that_cannot_start_at_all_fails_the_launch(deployed: Deployed, target: type[FakeTarget]) -> None:
    target.crash_at_start = True
    deployed.set(state="launching")
    for _second in range(20):
        deployed.passes()
        deployed.let_time_pass(2)
    assert deployed.row.state == "failed" and "ended 3 times while starting" in str(deployed.row.error)
    assert len(target.launched) == 3


def test_an_option_that_a_target_cannot_read_fails_its_revision_and_nothing_else(
    deployed: Deployed, target: type[FakeTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "launch", lambda _self, _launch: int("many"))
    deployed.set(state="launching")
    deployed.passes(2)
    assert deployed.row.state == "failed" and "could not be started: invalid literal" in str(deployed.row.error)


def test_a_restarted_server_is_not_ready_before_it_is_healthy_and_the_right_one(
    ready: Deployed, target: type[FakeTarget]
) -> None:
    ready.set(state="restarting")
    target.servers["server-1"].healthy = False
    ready.passes()
    assert ready.row.state == "restarting"
    target.servers["server-1"].healthy, target.servers["server-1"].name = True, "somebody-else"
    ready.passes()
    assert ready.row.state == "restarting"
    target.servers["server-1"].name = "triage-r1"
    ready.passes()
    assert ready.row.state == "ready"


@pytest.mark.parametrize("loss", ["crash", "end of the studio"])
def test_a_server_lost_while_its_gates_are_asked_is_not_ready_by_being_healthy_again(
    loss: str, ready: Deployed, target: type[FakeTarget]
) -> None:
    ready.set(state="gating")
    if loss == "crash":
        target.servers.clear()
        ready.passes()
    else:
        stop_servers(ready.database, ready.settings, ready.artifacts)
        target.servers.clear()
    ready.let_time_pass(5)
    ready.passes(3)
    assert ready.row.handle and ready.row.state == "launching"


def test_an_unwanted_server_is_asked_to_stop_and_then_gone(ready: Deployed, target: type[FakeTarget]) -> None:
    ready.set(desired="stopped")
    ready.passes(2)
    assert (ready.row.state, ready.row.handle, target.servers) == ("stopped", "", {})


def test_a_stubborn_server_is_killed_after_its_grace(ready: Deployed, target: type[FakeTarget]) -> None:
    target.ignores_requests_to_stop = True
    ready.set(desired="stopped")
    ready.passes(3)
    assert ready.row.state == "stopping" and target.servers
    ready.let_time_pass(40)
    ready.passes(2)
    assert ready.row.state == "stopped" and not target.servers


def test_a_failed_revisions_server_goes_and_the_failure_stays(ready: Deployed, target: type[FakeTarget]) -> None:
    ready.set(desired="stopped", state="failed", error="golden: no")
    ready.passes(3)
    assert (ready.row.state, ready.row.error, target.servers) == ("failed", "golden: no", {})


def test_a_deployment_whose_job_was_cancelled_does_not_hang(
    deployed: Deployed, target: type[FakeTarget], database: Database
) -> None:
    deployed.set(state="launching")
    deployed.passes()
    with database.write() as session:
        session.get_one(Job, deployed.row.spec["job_id"]).status = "cancelled"
    deployed.passes(4)
    assert (deployed.row.state, deployed.row.error) == ("failed", "The deployment was cancelled.")
    assert not target.servers


def test_a_clean_end_stops_servers_and_the_next_start_brings_them_back(
    ready: Deployed, target: type[FakeTarget], settings: Settings, database: Database, artifacts: Artifacts
) -> None:
    stop_servers(database, settings, artifacts)
    assert not target.servers and ready.row.state == "restarting"
    ready.passes(2)
    assert ready.row.state == "ready" and len(target.servers) == 1
    assert "crashed" not in ready.events()


def test_one_broken_revision_does_not_keep_the_others_from_their_step(
    ready: Deployed, target: type[FakeTarget], deployments: Deployments, operator: Actor, project: Project
) -> None:
    other = deployments.deploy(operator, project.id, "triage", ready.row.model_id, "fake")
    with ready.database.write() as session:
        session.get_one(Revision, other.id).state = "launching"
    ready.set(target="moon")
    with pytest.raises(Exception, match="no serving target"):
        ready.passes()
    assert deployments.revision(other.id).handle == "server-2"


def test_what_was_proven_is_launched_again_when_its_place_was_away(ready: Deployed, target: type[FakeTarget]) -> None:
    ready.set(certificate=[{"gate": "golden", "passed": True, "evidence": {}, "at": ""}])
    target.servers.clear()
    target.refuses = "The container engine does not answer."
    for _second in range(6):
        ready.passes()
        ready.let_time_pass(2)
    assert ready.row.state == "restarting" and ready.events().count("launch failed") >= 2
    target.refuses = ""
    ready.let_time_pass(90)
    ready.passes(2)
    assert ready.row.state == "ready"


def test_a_first_launch_that_is_refused_fails_with_the_reason(deployed: Deployed, target: type[FakeTarget]) -> None:
    target.refuses = "The container engine does not answer."
    deployed.set(state="launching")
    deployed.passes()
    assert (deployed.row.state, deployed.row.error) == ("failed", "The container engine does not answer.")


def test_a_server_that_was_started_but_never_written_down_is_found_again(
    deployed: Deployed, target: type[FakeTarget]
) -> None:
    deployed.set(state="launching")
    deployed.passes()
    deployed.set(handle="", endpoint="")
    deployed.passes()
    assert deployed.row.handle == "server-1" and len(target.servers) == 1
