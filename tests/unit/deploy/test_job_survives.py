"""The deploy job ends in the same state wherever it was killed, leaves nothing when cancelled, and makes room."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlmodel import Session

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Model, Project, Revision
from studio.access.actor import Actor
from studio.deploy import jobs
from studio.deploy.deployments import Deployments
from studio.deploy.reconcile import reconcile
from studio.errors import Conflict
from studio.jobs.context import JobCancelled, JobContext
from studio.settings import Settings
from tests.fakes.target import FakeTarget
from tests.fakes.tgi import FakeTgi

MESSAGES = [{"role": "user", "content": "My seat is broken."}]
PROMPT = FakeTgi().prompt(MESSAGES)
GOLDEN = {"messages": MESSAGES, "text": PROMPT, "tuned_tokens": [1, 2, 3], "base_tokens": [4, 5, 6]}
TUNED, BASE = {PROMPT: [1, 2, 3]}, {PROMPT: [4, 5, 6]}


class Killed(BaseException):
    """As by SIGKILL: nothing in the job may catch it."""


class DyingDatabase(Database):
    """Its nth write kills the job, before anything is written or just after it was."""

    def __init__(self, url: str, dies_at: int, after: bool) -> None:
        super().__init__(url)
        self.dies_at, self.after, self.writes = dies_at, after, 0

    @contextmanager
    def write(self) -> Iterator[Session]:
        self.writes += 1
        if self.writes == self.dies_at and not self.after:
            raise Killed
        with super().write() as session:
            yield session
        if self.writes == self.dies_at:
            raise Killed


class Workplace:
    """Deploys onto the fake target, with a worker that reconciles beside the job."""

    def __init__(self, database: Database, settings: Settings, artifacts: Artifacts, deployments: Deployments) -> None:
        self.database, self.settings, self.artifacts, self.deployments = database, settings, artifacts, deployments

    def run(self, revision: Revision, database: Database | None = None, **hooks: Any) -> dict[str, Any]:
        spec = {"revision_id": revision.id}
        stores = (self.settings.root, self.settings, database or self.database, self.artifacts)
        return jobs.deploy(JobContext("job", 1, "deploy", spec, *stores, **hooks))

    def wait(self, until: Callable[[], bool]) -> None:
        deadline = threading.Event()
        for _attempt in range(3000):
            if until():
                return
            deadline.wait(0.02)
        raise AssertionError("it did not happen within a minute")

    def now(self, revision: Revision) -> Revision:
        return self.deployments.revision(revision.id)

    def settled(self, revision: Revision) -> tuple[object, ...]:
        """What has to be the same whichever way it came about."""
        row = self.now(revision)
        gates = [(entry["gate"], entry["passed"]) for entry in row.certificate]
        servers = [fake.name for fake in FakeTarget.servers.values()].count(str(row.spec["served_name"]))
        return row.state, row.desired, row.form, row.digest, row.error, gates, servers, bool(row.handle)


@pytest.fixture
def workplace(
    database: Database,
    settings: Settings,
    artifacts: Artifacts,
    deployments: Deployments,
    target: type[FakeTarget],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Workplace]:
    monkeypatch.setattr(jobs, "POLL_S", 0.01)
    target.answers = TUNED
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(0.02):
            reconcile(database, settings, artifacts)

    thread = threading.Thread(target=loop)
    thread.start()
    yield Workplace(database, settings, artifacts, deployments)
    stop.set()
    thread.join()


@pytest.fixture
def deploy(
    workplace: Workplace, database: Database, operator: Actor, project: Project, tuned: Callable[[str], Model]
) -> Callable[..., Revision]:
    model = tuned("tuned")
    with database.write() as session:
        session.get_one(Model, model.id).facts = {"golden": {"prompts": [GOLDEN]}}

    def make(alias: str = "triage", **options: Any) -> Revision:
        return workplace.deployments.deploy(operator, project.id, alias, model.id, "fake", **options)

    return make


def test_a_job_killed_at_any_write_and_run_again_ends_in_the_same_state(
    workplace: Workplace, deploy: Callable[..., Revision], settings: Settings
) -> None:
    whole, database = deploy(), DyingDatabase(settings.database, 0, False)
    workplace.run(whole, database)
    wanted, writes = workplace.settled(whole), database.writes
    assert wanted[0] == "ready" and wanted[-2:] == (1, True) and writes >= 6
    for dies_at, after in [*((write, False) for write in range(1, writes + 1)), (writes, True)]:
        revision, dying = deploy(), DyingDatabase(settings.database, dies_at, after)
        with pytest.raises(Killed):
            workplace.run(revision, dying)
        dying.close()
        workplace.run(revision)
        assert workplace.settled(revision) == wanted, (dies_at, after)
    database.close()


def test_a_job_cancelled_at_any_moment_stops_its_server_and_says_so(
    workplace: Workplace, deploy: Callable[..., Revision]
) -> None:
    for asked_at in range(1, 200, 9):
        revision, questions = deploy(), iter(range(1, 100_000))
        try:
            workplace.run(revision, stop_asked=lambda questions=questions, last=asked_at: next(questions) >= last)  # type: ignore[misc]
        except JobCancelled:
            workplace.wait(lambda row=revision: workplace.now(row).handle == "")  # type: ignore[misc]
            row = workplace.now(revision)
            assert (row.desired, row.error) == ("stopped", "The deployment was cancelled.")
        else:
            assert workplace.now(revision).state == "ready" and asked_at > 5
            return
    raise AssertionError("it never came to its end")


def test_one_that_is_stopped_while_its_gates_are_asked_gets_no_traffic_of_those_that_made_room(
    workplace: Workplace, deploy: Callable[..., Revision], operator: Actor
) -> None:
    old = deploy()
    workplace.run(old)
    workplace.deployments.promote(operator, old.id)
    new = deploy(strategy="recreate")

    def stopped_while_gating() -> bool:
        row = workplace.now(new)
        if row.state == "gating" and row.desired == "running":
            with workplace.database.write() as session:  # and its server has not left yet when the gates end
                session.get_one(Revision, new.id).desired = "stopped"
        return False

    with pytest.raises(Conflict, match=r"stopped while|did not pass"):
        workplace.run(new, stop_asked=stopped_while_gating)
    workplace.wait(lambda: workplace.now(old).state == "ready" and workplace.now(new).handle == "")
    release = workplace.deployments.current(new.deployment_id)
    assert release is not None and release.routes[0]["revision_id"] == old.id


def test_where_only_one_fits_the_old_one_leaves_first_and_its_calls_go_to_the_new_one(
    workplace: Workplace, deploy: Callable[..., Revision], target: type[FakeTarget], operator: Actor
) -> None:
    old = deploy()
    workplace.run(old)
    workplace.deployments.promote(operator, old.id)
    new = deploy(strategy="recreate")
    workplace.run(new)
    assert workplace.now(new).state == "ready" and target.most_at_once == 1
    workplace.wait(lambda: workplace.now(old).state == "stopped")
    release = workplace.deployments.current(new.deployment_id)
    assert release is not None and [(route["revision_id"], route["weight"]) for route in release.routes] == [
        (new.id, 100)
    ]
    undone = workplace.deployments.undo(operator, new.deployment_id)
    assert "revision 1 was not running and is starting" in undone.reason
    workplace.wait(lambda: workplace.now(old).state == "ready" and workplace.now(new).state == "stopped")
    assert target.most_at_once == 1


def test_when_the_new_one_fails_the_old_one_comes_back_with_its_calls(
    workplace: Workplace, deploy: Callable[..., Revision], target: type[FakeTarget], operator: Actor
) -> None:
    old = deploy()
    workplace.run(old)
    workplace.deployments.promote(operator, old.id)
    target.answers = BASE
    new = deploy(strategy="recreate")
    with pytest.raises(Conflict, match="gates did not pass"):
        workplace.run(new)
    workplace.wait(lambda: workplace.now(old).state == "ready" and workplace.now(new).handle == "")
    release = workplace.deployments.current(new.deployment_id)
    assert release is not None and release.routes[0]["revision_id"] == old.id and target.most_at_once == 1
    told = [event.what for event in workplace.deployments.events(old.deployment_id) if event.revision_id == old.id]
    assert "makes room" in told and "comes back" in told


def test_another_aliass_server_never_makes_room(
    workplace: Workplace, deploy: Callable[..., Revision], target: type[FakeTarget]
) -> None:
    other = deploy("another")
    workplace.run(other)
    workplace.run(deploy(strategy="recreate"))
    assert workplace.now(other).state == "ready" and target.most_at_once == 2


def test_a_server_beside_another_needs_no_room(
    workplace: Workplace, deploy: Callable[..., Revision], target: type[FakeTarget]
) -> None:
    first = deploy()
    workplace.run(first)
    workplace.run(deploy())
    assert workplace.now(first).state == "ready" and target.most_at_once == 2


def test_starting_the_one_that_left_is_refused_while_the_other_has_traffic(
    workplace: Workplace, deploy: Callable[..., Revision], operator: Actor
) -> None:
    old = deploy()
    workplace.run(old)
    workplace.deployments.promote(operator, old.id)
    workplace.run(deploy(strategy="recreate"))
    workplace.wait(lambda: workplace.now(old).state == "stopped")
    with pytest.raises(Conflict, match="holds only one, and revision 2 has traffic"):
        workplace.deployments.restart(operator, old.id)
