"""The explorer's questions, on a few thousand calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storage.database import Database
from storage.repositories.log_search import match_expression
from storage.tables import Project
from studio.capture.entries import entry_values
from studio.capture.filters import LogFilter
from studio.capture.intake import insert_entries
from studio.capture.logs import Count, Logs
from studio.capture.record import Record
from studio.errors import InvalidInput, NotFound

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def values(project_id: str, number: int) -> dict[str, object]:
    """Call `number`: one a minute; every third an error, every fifth of model b."""
    meta = {
        "uid": f"u{number:05}",
        "at": (START + timedelta(minutes=number)).timestamp(),
        "project_id": project_id,
        "model": "b" if number % 5 == 0 else "a",
        "status": "error" if number % 3 == 0 else "ok",
        "tags": {"shard": str(number % 2)},
    }
    words = f'{{"messages": [{{"role": "user", "content": "Refund number {number} für Café"}}]}}'
    reply = b'{"model": "m", "choices": [{"message": {"content": "sure thing"}}]}'
    made = entry_values(Record(meta, words.encode(), reply))
    return {**made, "rating": {0: "up", 1: "down"}.get(number % 7)}


@pytest.fixture
def logs(database: Database, project: Project) -> Logs:
    with database.write() as session:
        insert_entries(session, [values(project.id, number) for number in range(300)])
    return Logs(database)


def test_pages_follow_each_other_without_gap_or_repeat(logs: Logs, project: Project) -> None:
    all_calls = LogFilter(project.id)
    first = logs.page(all_calls)
    second = logs.page(all_calls, before=first[-1].id)
    assert [row.uid for row in first + second] == [f"u{number:05}" for number in range(299, 199, -1)]
    assert logs.page(all_calls, after=second[0].id) == first
    assert first[0].prompt == "Refund number 299 für Café" and first[0].served_model == "m"


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"models": ("b",)}, 60),
        ({"statuses": ("error",)}, 100),
        ({"models": ("b",), "statuses": ("error",)}, 20),
        ({"ratings": ("up",)}, 43),
        ({"ratings": ("up", "none")}, 257),
        ({"tags": (("shard", "1"),)}, 150),
        ({"text": "refund 42"}, 1),
        ({"text": "cafe fur"}, 300),
        ({"text": "refund", "statuses": ("error",), "ratings": ("down",)}, 14),
        ({"text": "nothing-like-this"}, 0),
        ({"since": START + timedelta(hours=1)}, 240),
        ({"since": START + timedelta(minutes=30)}, 270),
        ({"until": START + timedelta(minutes=30), "source": "gateway"}, 30),
        ({"source": "import"}, 0),
    ],
)
def test_each_filter_counts_and_lists_the_same_calls(
    logs: Logs, project: Project, conditions: dict[str, object], expected: int
) -> None:
    criteria = LogFilter(project.id, **conditions)  # type: ignore[arg-type]
    assert logs.count(criteria) == Count(expected, True)
    assert len(logs.page(criteria, limit=1000)) == expected
    assert LogFilter.from_dict(criteria.to_dict()) == criteria


def test_all_matching_calls_are_read_in_order_of_arrival(logs: Logs, project: Project) -> None:
    with logs.database.read() as session:
        found = [entry.uid for entry in logs.iterate(session, LogFilter(project.id, text="refund", models=("b",)))]
    assert found == [f"u{number:05}" for number in range(0, 300, 5)]


def test_volume_totals_and_facets_come_from_the_roll_up(logs: Logs, project: Project) -> None:
    hourly = logs.volume(LogFilter(project.id, since=START, until=START + timedelta(days=1)))
    assert [(point.at.hour, point.status, point.calls) for point in hourly[:2]] == [(12, "error", 20), (12, "ok", 40)]
    assert sum(point.calls for point in logs.volume(LogFilter(project.id, models=("b",)))) == 60
    assert logs.totals(project.id).calls == 300 and logs.totals(project.id).errors == 100
    assert logs.totals("other").calls == 0
    facets = logs.facets(project.id)
    assert facets.models == {"a": 240, "b": 60} and facets.statuses == {"ok": 200, "error": 100}
    assert facets.tags == {"shard": {"1": 150, "0": 150}}


def test_counting_a_search_stops_at_ten_thousand(logs: Logs, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.capture.logs.COUNTED", 100)
    assert str(logs.count(LogFilter(project.id, text="refund"))) == "100+"


def test_other_projects_see_nothing(logs: Logs) -> None:
    assert logs.page(LogFilter("other")) == [] and logs.count(LogFilter("other", text="refund")).n == 0
    with pytest.raises(NotFound):
        logs.entry("other", "u00001")


@pytest.mark.parametrize(
    "words",
    ['"open', "a OR b NOT c", "prompt_text:x", "x*", "^y", "NEAR(a b)", "(", "-x", "a AND", "'; DROP", "{a}"],
)
def test_no_search_text_is_taken_for_syntax(logs: Logs, project: Project, words: str) -> None:
    assert logs.page(LogFilter(project.id, text=words)) == []


def test_quotation_marks_alone_search_for_nothing(logs: Logs, project: Project) -> None:
    assert all(len(logs.page(LogFilter(project.id, text=words))) == 50 for words in ('"', '""', ' " '))


def test_search_words_are_quoted_and_the_last_one_is_still_being_typed() -> None:
    assert match_expression("refund num") == '"refund" "num"*'
    assert match_expression("refund num ") == '"refund" "num"'
    assert match_expression('"sure thing"') == '"sure thing"'
    assert match_expression("  ") == ""


def test_a_filter_from_outside_is_checked() -> None:
    with pytest.raises(InvalidInput, match="since"):
        LogFilter.from_dict({"project_id": "p", "since": "yesterday"})
    with pytest.raises(InvalidInput, match="drop_table"):
        LogFilter.from_dict({"project_id": "p", "drop_table": 1})
