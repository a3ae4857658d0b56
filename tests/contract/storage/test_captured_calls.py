"""Draining, searching, counting and feedback behave alike on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.database import Database
from storage.tables import Project
from studio.capture.drain import Drain
from studio.capture.feedback import FeedbackIntake
from studio.capture.filters import LogFilter
from studio.capture.journal import Journal
from studio.capture.logs import Count, Logs
from studio.capture.record import Record

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def logs(stored: Database, project: Project, tmp_path: Path) -> Logs:
    journal = Journal(tmp_path / "journal")
    for number in range(120):
        journal.append(call(project, number).pack())
    drain = Drain(stored, journal.folder)
    assert drain.once() == 120 and drain.once() == 0
    journal.close()
    drain.once()
    return Logs(stored)


def call(project: Project, number: int) -> Record:
    meta = {
        "uid": f"u{number:04}",
        "at": (START + timedelta(minutes=number)).timestamp(),
        "project_id": project.id,
        "model": "b" if number % 5 == 0 else "a",
        "status": "error" if number % 3 == 0 else "ok",
        "tags": {"shard": str(number % 2), "it's": 'a "quoted" one'},
        "provider_id": "gone",
    }
    request = {"messages": [{"role": "user", "content": f"Refund\x00 number {number}"}]}
    reply = {"id": "same", "model": "m", "choices": [{"message": {"content": "sure thing"}}]}
    return Record(meta, json.dumps(request).encode(), json.dumps(reply).encode())


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, 120),
        ({"models": ("b",), "statuses": ("error",)}, 8),
        ({"ratings": ("none",)}, 120),
        ({"tags": (("shard", "1"),)}, 60),
        ({"tags": (("it's", 'a "quoted" one'),)}, 120),
        ({"text": "refund 42 "}, 1),
        ({"text": '"sure thing"', "models": ("b",)}, 16),
        ({"text": "no-such-word"}, 0),
        ({"since": START + timedelta(hours=1)}, 60),
        ({"until": START + timedelta(minutes=30), "source": "gateway"}, 30),
    ],
)
def test_each_filter_counts_and_lists_the_same_calls(
    logs: Logs, project: Project, conditions: dict[str, object], expected: int
) -> None:
    criteria = LogFilter(project.id, **conditions)  # type: ignore[arg-type]
    assert logs.count(criteria) == Count(expected, True) and len(logs.page(criteria, limit=500)) == expected
    with logs.database.read() as session:
        assert len(list(logs.iterate(session, criteria))) == expected


def test_roll_up_and_facets(logs: Logs, project: Project) -> None:
    points = logs.volume(LogFilter(project.id, since=START, until=START + timedelta(hours=3)))
    assert [(point.at.hour, point.status, point.calls) for point in points] == [
        (12, "error", 20),
        (12, "ok", 40),
        (13, "error", 20),
        (13, "ok", 40),
    ]
    assert logs.totals(project.id).errors == 40 and logs.facets(project.id).models == {"a": 96, "b": 24}


def test_odd_characters_and_dead_references_are_stored(logs: Logs, project: Project) -> None:
    entry = logs.entry(project.id, "u0000")
    assert entry.prompt_text == "Refund number 0" and entry.provider_id is None
    assert entry.external_id == "same" and logs.entry(project.id, "u0001").external_id is None


def test_feedback_by_uid_and_by_tags(logs: Logs, project: Project) -> None:
    intake = FeedbackIntake(logs.database)
    intake.give(project.id, uid="u0003", kind="thumbs", value=0)
    assert logs.entry(project.id, "u0003").rating == "down"
    assert len(intake.give(project.id, tags={"it's": 'a "quoted" one'}, kind="metric", name="m", value=1)) == 100
