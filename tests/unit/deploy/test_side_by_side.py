"""A place that hangs keeps its own revision waiting, and nobody else's."""

import threading
from collections.abc import Callable, Iterator

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Model, Project, Revision
from studio.access.actor import Actor
from studio.deploy.deployments import Deployments
from studio.deploy.side_by_side import SideBySide
from studio.deploy.targets import catalog
from studio.deploy.targets.port import Launch, Running
from studio.errors import StudioError
from studio.settings import Settings
from tests.fakes.target import FakeTarget


class HangingTarget(FakeTarget):
    """Its launch does not come back until it is let."""

    let = threading.Event()
    asked = 0

    def launch(self, launch: Launch) -> Running:
        HangingTarget.asked += 1
        self.let.wait(60)
        return super().launch(launch)


@pytest.fixture
def steps(
    database: Database,
    settings: Settings,
    artifacts: Artifacts,
    target: type[FakeTarget],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[SideBySide]:
    monkeypatch.setitem(catalog.TARGETS, "hangs", f"{__name__}:HangingTarget")
    monkeypatch.setattr("studio.deploy.side_by_side.PATIENCE_S", 0.05)
    HangingTarget.asked = 0
    HangingTarget.let.clear()
    made = SideBySide(database, settings, artifacts)
    yield made
    HangingTarget.let.set()
    made.close()


@pytest.fixture
def launching(
    deployments: Deployments, database: Database, operator: Actor, project: Project, tuned: Callable[[str], Model]
) -> Callable[[str], Revision]:
    model = tuned("tuned")

    def make(target: str) -> Revision:
        made = deployments.deploy(operator, project.id, target, model.id, target)
        with database.write() as session:
            session.get_one(Revision, made.id).state = "launching"
        return made

    return make


def passes(steps: SideBySide, until: Callable[[], bool]) -> None:
    for _attempt in range(1200):
        steps()
        if until():
            return
    raise AssertionError("it did not happen within a minute")


def test_others_go_on_while_one_hangs_and_it_is_asked_once(
    steps: SideBySide, launching: Callable[[str], Revision], deployments: Deployments
) -> None:
    hanging = launching("hangs")
    passes(steps, lambda: HangingTarget.asked == 1)
    other = launching("fake")
    passes(steps, lambda: deployments.revision(other.id).handle != "")
    steps()
    assert HangingTarget.asked == 1 and deployments.revision(hanging.id).handle == ""
    HangingTarget.let.set()
    passes(steps, lambda: deployments.revision(hanging.id).handle != "")


def test_a_steps_error_is_raised_by_the_pass_that_hears_of_it(
    steps: SideBySide, launching: Callable[[str], Revision], database: Database
) -> None:
    broken = launching("fake")
    with database.write() as session:
        session.get_one(Revision, broken.id).target = "moon"
    with pytest.raises(StudioError, match="no serving target 'moon'"):
        passes(steps, lambda: False)
