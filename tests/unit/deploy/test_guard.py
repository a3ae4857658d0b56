"""The guardrail acts: a revision that does worse loses its traffic once, whoever looks; idle servers are let go."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from storage.database import Database
from storage.tables import Deployment, Model, Project, Release, Revision, TrafficMinute
from storage.types import now
from studio.access.actor import Actor
from studio.deploy.cooling import cool
from studio.deploy.deployments import Deployments
from studio.deploy.guard import _take_out, guard, watched
from studio.deploy.histogram import bucket_of, empty
from studio.settings import Settings
from tests.fakes.target import FakeTarget

GREEN = [{"gate": "health", "passed": True, "evidence": {}, "at": ""}]


class World:
    """An alias that the teacher answers, two ready revisions, and traffic at will."""

    def __init__(self, database: Database, deployments: Deployments, actor: Actor, alias: Deployment) -> None:
        self.database, self.deployments, self.actor, self.alias = database, deployments, actor, alias

    def revision(self, model_id: str) -> Revision:
        made = self.deployments.deploy(self.actor, self.alias.project_id, self.alias.alias, model_id, "fake")
        self.set(made, state="ready", certificate=GREEN)
        return self.deployments.revision(made.id)

    def set(self, row: Revision, **values: Any) -> None:
        with self.database.write() as session:
            found = session.get_one(Revision, row.id)
            for name, value in values.items():
                setattr(found, name, value)

    def calls(self, route: str, calls: int, errors: int = 0, ms: float = 100, shadow: bool = False) -> None:
        """Counted in the present minute, as the gateway does; counting again replaces."""
        latency = empty()
        latency[bucket_of(ms)] = calls - errors
        row = TrafficMinute(
            deployment_id=self.alias.id,
            route=route,
            minute=int(now().timestamp()) // 60 * 60,
            gateway="g",
            shadow=shadow,
            calls=calls,
            errors=errors,
            latency=latency,
        )
        with self.database.write() as session:
            for earlier in session.query(TrafficMinute).filter_by(route=route, shadow=shadow):
                session.delete(earlier)  # also when a new minute has begun since
            session.flush()
            session.add(row)

    def let_time_pass(self, span: timedelta) -> None:
        """As if every release and change had happened this much earlier."""
        with self.database.write() as session:
            for release in session.query(Release):
                release.created_at = release.created_at - span
            for revision in session.query(Revision):
                revision.updated_at = revision.updated_at - span

    def split(self) -> dict[str | None, float]:
        release = self.deployments.current(self.alias.id)
        assert release is not None
        return {route["revision_id"]: route["weight"] for route in release.routes}

    def events(self, what: str) -> list[dict[str, Any]]:
        return [event.detail for event in self.deployments.events(self.alias.id) if event.what == what]


@pytest.fixture
def world(
    database: Database,
    deployments: Deployments,
    operator: Actor,
    project: Project,
    teacher: Model,
    target: type[FakeTarget],
) -> World:
    alias = deployments.ensure_alias(operator, project.id, "triage", teacher.id)
    return World(database, deployments, operator, alias)


@pytest.fixture
def canary(world: World, tuned: Callable[[str], Model]) -> Revision:
    """Half of the calls, beside the teacher."""
    made = world.revision(tuned("tuned").id)
    for _step in range(3):
        world.deployments.promote(world.actor, made.id)
    return made


def test_a_failing_revision_loses_its_traffic_with_the_numbers_as_the_reason(
    world: World, canary: Revision, teacher: Model
) -> None:
    world.calls(canary.id, 60, 30)
    world.calls(teacher.id, 60)
    (release,) = guard(world.database)
    assert world.split() == {None: 100} and release.created_by == "guardrail"
    assert release.reason.startswith("guardrail: revision 1: 30 of 60 calls failed (50.0%), on the live route 0 of 60")
    assert world.events("guardrail")[0]["canary"]["errors"] == 30


def test_a_healthy_revision_keeps_its_traffic(world: World, canary: Revision, teacher: Model) -> None:
    world.calls(canary.id, 60, 1)
    world.calls(teacher.id, 60, 1)
    assert guard(world.database) == [] and world.split()[canary.id] == 50


def test_a_slow_revision_loses_its_traffic(world: World, canary: Revision, teacher: Model) -> None:
    world.calls(canary.id, 60, ms=900)
    world.calls(teacher.id, 60, ms=300)
    (release,) = guard(world.database)
    assert "took longer than" in release.reason and world.split() == {None: 100}


def test_a_guardrail_that_is_off_does_nothing(world: World, canary: Revision, teacher: Model) -> None:
    world.deployments.set_rules(world.actor, world.alias.id, {"guardrail": {"on": False}})
    world.calls(canary.id, 60, 60)
    world.calls(teacher.id, 60)
    assert guard(world.database) == []


def test_after_it_acted_an_undo_does_not_bring_the_revision_back(
    world: World, canary: Revision, teacher: Model
) -> None:
    world.calls(canary.id, 60, 60)
    world.calls(teacher.id, 60)
    guard(world.database)
    found = world.deployments.overview(world.alias.id)
    assert found.undoable is None and found.release is not None and found.release.undo_of


def test_a_revision_that_is_tried_again_is_not_judged_by_its_last_try(
    world: World, canary: Revision, teacher: Model
) -> None:
    world.calls(canary.id, 60, 60)
    world.calls(teacher.id, 60)
    guard(world.database)
    world.deployments.shift(world.actor, canary.id, 50)
    assert guard(world.database) == [] and world.split()[canary.id] == 50


def test_the_newer_of_two_revisions_is_the_one_that_is_judged(
    world: World, canary: Revision, tuned: Callable[[str], Model]
) -> None:
    newer = world.revision(tuned("newer").id)
    world.deployments.promote(world.actor, canary.id)
    world.deployments.shift(world.actor, newer.id, 50)
    world.calls(canary.id, 60, 60)
    world.calls(newer.id, 60)
    assert guard(world.database) == []
    world.calls(canary.id, 60)
    world.calls(newer.id, 60, 60)
    guard(world.database)
    assert world.split() == {canary.id: 100, None: 0}


def test_with_all_the_traffic_it_goes_when_surely_more_than_half_of_the_calls_fail(
    world: World, canary: Revision
) -> None:
    world.deployments.promote(world.actor, canary.id)
    world.calls(canary.id, 60, 30)
    assert guard(world.database) == []
    world.calls(canary.id, 60, 55)
    (release,) = guard(world.database)
    assert world.split() == {None: 100} and "surely more than half" in release.reason


def test_when_nobody_else_can_answer_it_keeps_its_calls_and_one_event_says_so(world: World, canary: Revision) -> None:
    alone = [{"model_id": canary.model_id, "revision_id": canary.id, "weight": 100}]
    with world.database.write() as session:
        for release in session.query(Release):
            session.delete(release)
    world.deployments.release(world.actor, world.alias.id, alone, "alone")
    world.calls(canary.id, 60, 60)
    assert guard(world.database) == guard(world.database) == []
    assert len(world.events("guardrail cannot act")) == 1 and world.split() == {canary.id: 100}


def test_a_shadow_that_always_fails_is_stopped(world: World, canary: Revision, tuned: Callable[[str], Model]) -> None:
    other = world.revision(tuned("other").id)
    world.deployments.shadow(world.actor, other.id, 20)
    world.calls(other.id, 60, 60, shadow=True)
    (release,) = guard(world.database)
    assert release.shadows == [] and release.reason.startswith("guardrail: shadow revision 2: 60 of 60 calls failed")
    assert world.split() == {canary.id: 50, None: 50}


def test_of_two_workers_that_see_the_same_one_acts(world: World, canary: Revision, teacher: Model) -> None:
    world.calls(canary.id, 60, 60)
    world.calls(teacher.id, 60)
    seen = world.deployments.releases(world.alias.id)
    (watch,) = watched(world.database, world.alias, seen)
    assert _take_out(world.database, seen[0], watch) is not None
    assert _take_out(world.database, seen[0], watch) is None
    assert len(world.deployments.releases(world.alias.id)) == len(seen) + 1


@pytest.fixture
def predecessor(world: World, canary: Revision, tuned: Callable[[str], Model]) -> Revision:
    """It had all the traffic until its successor took it."""
    world.deployments.promote(world.actor, canary.id)
    world.deployments.shift(world.actor, world.revision(tuned("successor").id).id, 100)
    return canary


def test_a_predecessor_is_kept_warm_and_then_stopped_with_the_reason(
    world: World, predecessor: Revision, settings: Settings
) -> None:
    world.let_time_pass(timedelta(hours=23))
    assert cool(world.database, settings) == []
    world.let_time_pass(timedelta(hours=2))
    assert cool(world.database, settings) == [predecessor.id]
    assert world.deployments.revision(predecessor.id).desired == "stopped"
    assert "no traffic for 24 h" in world.events("stop asked for")[0]["why"]
    assert world.deployments.undo(world.actor, world.alias.id).reason.count("was not running and is starting") == 1


@pytest.mark.parametrize(("hours", "stopped"), [(None, False), (48, False), (0.5, True)])
def test_how_long_is_the_aliass_own_rule(
    world: World, predecessor: Revision, settings: Settings, hours: float | None, stopped: bool
) -> None:
    world.deployments.set_rules(world.actor, world.alias.id, {"keep_warm_hours": hours})
    world.let_time_pass(timedelta(hours=30))
    assert bool(cool(world.database, settings)) is stopped


def test_nothing_is_let_go_while_the_successor_is_in_trouble(
    world: World, predecessor: Revision, settings: Settings
) -> None:
    successor = world.deployments.revisions(world.alias.id)[0]
    world.set(successor, state="restarting")
    world.let_time_pass(timedelta(hours=30))
    assert cool(world.database, settings) == []


def test_a_revision_with_traffic_or_copies_or_none_yet_is_never_let_go(
    world: World, predecessor: Revision, settings: Settings, tuned: Callable[[str], Model]
) -> None:
    world.deployments.shadow(world.actor, predecessor.id, 20)
    world.revision(tuned("new").id)
    world.let_time_pass(timedelta(days=9))
    assert cool(world.database, settings) == []
