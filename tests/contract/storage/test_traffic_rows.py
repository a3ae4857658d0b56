"""Traffic figures on both databases: written over and over, added up over gateways, forgotten in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storage.database import Database
from storage.tables import Deployment, Model, Project, Revision, ShadowPair
from studio.deploy.counting import Attempt
from studio.deploy.traffic import Counter, Traffic, clean_traffic

START = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = START.timestamp()

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def alias(stored: Database) -> Deployment:
    with stored.write() as session:
        project = Project(name="support")
        session.add(project)
        session.flush()
        made = Deployment(project_id=project.id, alias="triage")
        session.add(made)
    return made


def test_minutes_are_written_as_they_grow_and_added_up_over_gateways(stored: Database, alias: Deployment) -> None:
    clock = Clock()
    first, second = Counter(stored, clock), Counter(stored, clock)
    for ms in (10.0, 20.0, 40.0):
        first.count(Attempt(alias.id, "r1", ms=ms, prompt_tokens=5, completion_tokens=2))
    assert first.flush() and first.flush()
    second.count(Attempt(alias.id, "r1", failed=True))
    second.count(Attempt(alias.id, "r2", ms=7.0, first_token_ms=3.0))
    second.count(Attempt(alias.id, "r1", ms=99.0, shadow=True))
    clock.at += 60
    first.count(Attempt(alias.id, "r1", ms=20.0))
    assert first.flush() and second.flush()
    found = Traffic(stored).stats(alias.id, START)
    assert (found["r1"].calls, found["r1"].errors, found["r1"].prompt_tokens) == (5, 1, 15)
    assert found["r1"].completion_tokens == 6 and sum(found["r1"].histogram) == 4
    assert found["r1"].p50_ms == pytest.approx(20, rel=0.2) and found["r1"].p95_ms == pytest.approx(40, rel=0.2)
    assert found["r2"].first_token_p50_ms == pytest.approx(3, rel=0.2) and found["r1"].first_token_p50_ms is None
    assert Traffic(stored).stats(alias.id, START, shadow=True)["r1"].calls == 1


def test_a_series_has_a_point_for_each_minute_and_a_span_ends_before_its_last_one(
    stored: Database, alias: Deployment
) -> None:
    clock = Clock()
    counter = Counter(stored, clock)
    for _ in range(3):
        counter.count(Attempt(alias.id, "r1", ms=10.0))
        clock.at += 60
    counter.flush()
    points = Traffic(stored).series(alias.id, START + timedelta(minutes=1))
    assert [(point.at.minute, point.route, point.calls) for point in points] == [(1, "r1", 1), (2, "r1", 1)]
    span = Traffic(stored).stats(alias.id, START, START + timedelta(minutes=2))
    assert span["r1"].calls == 2 and Traffic(stored).stats("another", START) == {}


def test_a_deployment_that_is_gone_does_not_keep_the_others_figures_back(stored: Database, alias: Deployment) -> None:
    counter = Counter(stored, Clock())
    counter.count(Attempt("gone", "r1"))
    counter.count(Attempt(alias.id, "r1"))
    assert counter.flush() and Traffic(stored).stats(alias.id, START)["r1"].calls == 1


def test_figures_and_answers_of_shadows_are_forgotten_after_thirty_days(stored: Database, alias: Deployment) -> None:
    clock = Clock()
    counter = Counter(stored, clock)
    counter.count(Attempt(alias.id, "r1"))
    clock.at += timedelta(days=29).total_seconds()
    counter.count(Attempt(alias.id, "r1"))
    counter.flush()
    _pair(stored, alias, START)
    _pair(stored, alias, START + timedelta(days=29))
    at = START + timedelta(days=30, minutes=2)
    assert clean_traffic(stored, at) == 2 and clean_traffic(stored, at) == 0
    assert Traffic(stored).stats(alias.id, START)["r1"].calls == 1


def _pair(stored: Database, alias: Deployment, at: datetime) -> None:
    with stored.write() as session:
        model = Model(project_id=alias.project_id, name=f"m{at}", kind="tuned")
        session.add(model)
        session.flush()
        revision = Revision(deployment_id=alias.id, model_id=model.id, number=1)
        session.add(revision)
        session.flush()
        session.add(ShadowPair(deployment_id=alias.id, revision_id=revision.id, log_uid="u", created_at=at))
