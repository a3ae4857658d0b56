from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import OperationalError

from storage.database import Database
from storage.tables import Deployment, Project
from studio.deploy import counting
from studio.deploy.counting import Attempt
from studio.deploy.histogram import BUCKETS_MS, SIZE, added, bucket_of, empty, percentile
from studio.deploy.traffic import Counter, Traffic

LONG_AGO = datetime.fromtimestamp(0, UTC)


class Away:
    """A database that is not there until it is told to be."""

    def __init__(self, real: Database) -> None:
        self.real = real
        self.away = True

    def write(self):
        if self.away:
            raise OperationalError("insert", {}, Exception("connection refused"))
        return self.real.write()


@pytest.fixture
def alias(database: Database, project: Project) -> Deployment:
    with database.write() as session:
        made = Deployment(project_id=project.id, alias="triage")
        session.add(made)
    return made


def test_every_latency_falls_into_the_bucket_that_ends_at_or_above_it() -> None:
    assert bucket_of(0.0) == bucket_of(1.0) == 0 and bucket_of(1.01) == 1
    assert bucket_of(10**9) == SIZE - 1 and list(BUCKETS_MS) == sorted(BUCKETS_MS)


@pytest.mark.parametrize("percent", [5, 50, 95, 100])
def test_a_percentile_is_at_most_a_bucket_off(percent: int) -> None:
    values = [1.5 * 1.01**step for step in range(900)]
    histogram = empty()
    for value in values:
        histogram[bucket_of(value)] += 1
    exact = values[round(percent / 100 * (len(values) - 1))]
    assert percentile(histogram, percent) == pytest.approx(exact, rel=0.19)


def test_nothing_has_no_percentile_and_the_longest_waits_have_the_last_bound() -> None:
    longest = empty()
    longest[-1] = 1
    assert percentile(empty(), 50) is None and percentile(longest, 50) == BUCKETS_MS[-1]
    assert added([[], longest, [1]])[0] == 1


def test_what_was_counted_while_the_database_was_away_is_written_when_it_is_back(
    database: Database, alias: Deployment
) -> None:
    away = Away(database)
    counter = Counter(away)  # type: ignore[arg-type]
    counter.count(Attempt(alias.id, "r1", ms=5.0))
    assert not counter.flush() and not counter.flush()
    counter.count(Attempt(alias.id, "r1", failed=True))
    away.away = False
    assert counter.flush()
    stats = Traffic(database).stats(alias.id, LONG_AGO)
    assert (stats["r1"].calls, stats["r1"].errors, stats["r1"].error_rate) == (2, 1, 0.5)


def test_a_long_absence_costs_the_oldest_minutes_only(
    database: Database, alias: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MOST_MINUTES", 3)
    times = iter(range(0, 60 * 50, 60))
    counter = Counter(Away(database), lambda: float(next(times)))  # type: ignore[arg-type]
    for _ in range(5):
        counter.count(Attempt(alias.id, "r1"))
        assert not counter.flush()
    assert counter.dropped == 2


def test_a_clock_set_back_takes_nothing_away(database: Database, alias: Deployment) -> None:
    times = iter([120.0, 180.0, 120.0])
    counter = Counter(database, lambda: next(times))
    for _ in range(3):
        counter.count(Attempt(alias.id, "r1"))
        counter.flush()
    assert Traffic(database).stats(alias.id, LONG_AGO)["r1"].calls == 3
