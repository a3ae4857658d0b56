"""Which calls feedback means, what it replaces and what waits for its call, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select

from storage.database import Database
from storage.repositories.feedback import FeedbackRepository
from storage.repositories.logs import LogEntryRepository
from storage.tables import LogChange, Project
from storage.types import now
from studio.capture.feedback import GivenFeedback, count_meant, take_given
from studio.capture.targets import Target, perhaps_here

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def project(stored: Database) -> Project:
    """Three calls: two of one trace, the second under the span of an agent, and one alone."""
    with stored.write() as session:
        made = Project(name="support")
        session.add(made)
        session.flush()
        common: dict[str, Any] = {"project_id": made.id, "trace_id": "t", "session_id": "s", "tags": {"run": "1"}}
        LogEntryRepository(session).insert(
            [
                {**common, "uid": "a", "span_id": "sa", "external_id": "ea", "model": "m"},
                {**common, "uid": "b", "span_id": "sb", "parent_span_id": "agent", "model": "n"},
                {"project_id": made.id, "uid": "c", "tags": {"run": "2"}, "model": "m"},
            ]
        )
    return made


def give(stored: Database, project: Project, number: int = 0, at: datetime | None = None, **said: Any) -> bool:
    with stored.write() as session:
        given = GivenFeedback.read({"kind": "thumbs", "value": 1, **said})
        return take_given(session, project.id, given, f"record-{number}", at or now())


def rated(stored: Database, project: Project) -> str:
    with stored.read() as session:
        found = LogEntryRepository(session).find(project_id=project.id)
    return "".join(sorted(call.uid for call in found if call.rating == "up"))


@pytest.mark.parametrize(
    ("target", "uids"),
    [
        ({"uid": "a"}, "a"),
        ({"external_id": "ea"}, "a"),
        ({"external_id": "ea", "model": "other"}, ""),
        ({"id": "ea"}, "a"),
        ({"id": "t"}, "ab"),
        ({"trace_id": "t"}, "ab"),
        ({"trace_id": "c"}, "c"),
        ({"trace_id": "t", "span_id": "sb"}, "b"),
        ({"trace_id": "t", "span_id": "agent"}, "b"),
        ({"trace_id": "t", "span_id": "chain"}, ""),
        ({"span_id": "sa"}, "a"),
        ({"session_id": "s"}, "ab"),
        ({"tags": {"run": "1"}}, "ab"),
        ({"tags": {"run": "1"}, "model": "n"}, "b"),
        ({"tags": {"run": "3"}}, ""),
    ],
    ids=str,
)
def test_the_calls_that_are_meant(stored: Database, project: Project, target: dict[str, Any], uids: str) -> None:
    assert give(stored, project, **target) is bool(uids)
    assert rated(stored, project) == uids


def test_a_span_that_never_was_a_call_means_its_trace_after_a_minute(stored: Database, project: Project) -> None:
    said: dict[str, Any] = {"trace_id": "t", "span_id": "chain"}
    assert not give(stored, project, **said, at=now() - timedelta(seconds=50))
    assert give(stored, project, **said, at=now() - timedelta(seconds=70))
    assert rated(stored, project) == "ab"


def test_feedback_with_an_id_is_one_row_for_each_call(stored: Database, project: Project) -> None:
    for number, value in enumerate((1, 0, 1)):
        assert give(stored, project, number, trace_id="t", value=value, feedback_id="f")
    with stored.read() as session:
        rows = FeedbackRepository(session).find(project_id=project.id)
    assert sorted(row.external_id or "" for row in rows) == ["f", "f/a"] and {row.value for row in rows} == {1}


def test_the_same_record_applied_again_changes_nothing(stored: Database, project: Project) -> None:
    for _ in range(2):
        assert give(stored, project, uid="a")
    with stored.read() as session:
        assert FeedbackRepository(session).count(project_id=project.id) == 1


def test_what_was_said_later_stays_on_the_call(stored: Database, project: Project) -> None:
    give(stored, project, 1, uid="a", kind="score", value=0.9, at=AT + timedelta(days=1))
    give(stored, project, 2, uid="a", kind="score", value=0.1, at=AT)
    with stored.read() as session:
        [call] = LogEntryRepository(session).find(uid="a")
    assert call.score == 0.9


def test_tags_change_the_calls_and_tell_those_who_follow(stored: Database, project: Project) -> None:
    said: dict[str, Any] = {"kind": "tags", "tags": {"run": "1"}, "set": {"run": None, "plan": "pro"}}
    assert count_meant(stored, project.id, GivenFeedback.read(said)) == 2
    assert give(stored, project, **said) and not give(stored, project, **said)
    with stored.read() as session:
        calls = LogEntryRepository(session).with_tags(project.id, {"plan": "pro"}, 10)
        changed = len(session.exec(select(LogChange)).all())
        assert FeedbackRepository(session).count() == 0
    assert sorted(call.uid for call in calls) == ["a", "b"] and all(call.tags == {"plan": "pro"} for call in calls)
    assert changed == 2


def test_many_that_wait_are_looked_for_at_once(stored: Database, project: Project) -> None:
    waiting = [(f"w{number}", project.id, Target(external_id=f"never-{number}")) for number in range(1200)]
    names = {"uid": "a", "external_id": "ea", "trace_id": "t", "span_id": "sb", "session_id": "s", "id": "ea"}
    waiting += [(name, project.id, Target.model_validate({name: value})) for name, value in names.items()]
    waiting += [("tags", project.id, Target(tags={"run": "2"})), ("other", "nobody", Target(uid="a"))]
    waiting += [("under", project.id, Target(trace_id="t", span_id="agent"))]
    with stored.read() as session:
        assert perhaps_here(session, waiting) == {*names, "tags", "under"}


def test_a_deleted_call_takes_its_feedback_with_it(stored: Database, project: Project) -> None:
    give(stored, project, uid="a", feedback_id="f")
    with stored.write() as session:
        [call] = LogEntryRepository(session).find(uid="a")
        LogEntryRepository(session).delete_calls(project.id, [call.id or 0])
    assert not give(stored, project, 1, uid="a", feedback_id="f")
    assert give(stored, project, 2, uid="b", feedback_id="f")
    with stored.read() as session:
        assert [row.external_id for row in FeedbackRepository(session).find(project_id=project.id)] == ["f"]
