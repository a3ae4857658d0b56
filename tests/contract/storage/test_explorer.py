"""The explorer's index says what SQL says, for any filter, and follows what changes; on SQLite and PostgreSQL."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from storage.repositories.log_criteria import FLAGS, RANGE_CONDITIONS
from storage.repositories.logs import LogEntryRepository
from storage.tables import Feedback, LogEntry, Project
from studio.capture.explorer import matches
from studio.capture.explorer.answers import SORTS, Sort
from studio.capture.explorer.facets import FACETS, OF_CALLS, OF_KINDS
from studio.capture.explorer.service import Explorer
from studio.capture.filters import LogFilter
from studio.capture.logs import Count

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
CALLS = 120
WORDS = ("refund", "Café", "late-delivery", "naïve", "42", "o'clock", "50%", "refunded", "the")


def call(project_id: str, number: int, dice: random.Random) -> dict[str, Any]:
    stream = dice.random() < 0.5
    words = " ".join(dice.choices(WORDS, k=4))
    return {
        "uid": f"{project_id[-4:]}{number:04}",
        "project_id": project_id,
        "created_at": START + timedelta(minutes=dice.randrange(500), microseconds=dice.randrange(1_000_000)),
        "source": dice.choice(["gateway", "otlp"]),
        "model": dice.choice(["a", "b", "it's"]),
        "served_model": dice.choice(["", "m"]),
        "status": dice.choice(["ok", "ok", "error", "cut"]),
        "stream": stream,
        "latency_ms": dice.choice([0.0, 1.5, 333.333, 1e6]),
        "first_token_ms": dice.choice([None, 0.25, 100.0]),
        "cost_usd": dice.choice([0.0, 0.1, 1e-7]),
        "prompt_tokens": dice.choice([0, 10, 5000]),
        "completion_tokens": dice.choice([0, 7]),
        "messages": [{"role": "user", "content": words}],
        "tools": dice.choice([[], [{"type": "function"}]]),
        "reply": dice.choice([{}, {"content": "x"}, {"content": None, "tool_calls": [{"id": "c"}]}]),
        "finish_reason": dice.choice([None, "stop", "length"]),
        "tags": dice.choice([{}, {"env": "prod"}, {"env": "test", "it's": 'a "quoted" one'}]),
        "prompt_text": words,
        "reply_text": dice.choice(WORDS),
        "rating": dice.choice([None, "up", "down"]),
        "correction": dice.choice([None, "better"]),
        "score": dice.choice([None, 0.5, 1.0]),
        "endpoint": dice.choice(["chat", "messages"]),
        "trace_id": dice.choice([None, "t1", "t2"]),
        "session_id": dice.choice([None, "s1", "s2"]),
        "user_id": dice.choice([None, "ann", "bob"]),
        "redactions": dice.choice([{}, {"email": 1}]),
        "language": dice.choice(["", "en", "de"]),
        "template_id": dice.choice([None, "p1"]),
        "signature": dice.choice([None, bytes(range(16))]),
    }


@pytest.fixture
def project(stored: Database) -> Project:
    made, other = Project(name="support"), Project(name="other")
    dice = random.Random(7)
    with stored.write() as session:
        session.add_all([made, other])
        session.flush()
        calls = [call(dice.choice([made.id, made.id, other.id]), number, dice) for number in range(CALLS)]
        LogEntryRepository(session).insert(calls)
        for row in calls[::9]:
            session.add(Feedback(project_id=row["project_id"], log_entry_id=row["id"], kind="comment", text="hm"))
    return made


@pytest.fixture
def explorer(stored: Database, tmp_path: Path) -> Iterator[Explorer]:
    opened = Explorer(stored, tmp_path)
    yield opened
    opened.close()


def by_sql(database: Database, criteria: LogFilter) -> set[int]:
    with database.read() as session:
        return {entry.id or 0 for batch in LogEntryRepository(session).batches(criteria) for entry in batch}


def all_pages(explorer: Explorer, criteria: LogFilter, sort: Sort, size: int) -> list[int]:
    found, after = [], None
    while True:
        page = explorer.page(criteria, sort, after, size)
        found += [row.id for row in page.rows]
        after = page.next
        if after is None:
            return found


WORDS_ASKED = ("refund", "refund ", "Café 42 ", '"the refund"', "late-delivery", "zzz", '"', "o'clock", "%")
NUMBERS = (None, 0.0, 0.1, 0.25, 0.5, 7.0, 10.0, 333.333, 1e6)
VALUES: dict[str, tuple[str, ...]] = {
    "models": ("a", "it's", "gone"),
    "statuses": ("ok", "error"),
    "ratings": ("up", "down", "none"),
    "served_models": ("", "m"),
    "deployments": ("", "d"),
    "templates": ("", "p1"),
    "endpoints": ("chat", "messages"),
    "languages": ("", "en"),
    "finish_reasons": ("", "stop"),
    "users": ("", "ann"),
    "sessions": ("s1", ""),
    "traces": ("t1", "t2", ""),
    "has": (*FLAGS, "nonsense"),
}
TAGS = ((("env", "prod"),), (("it's", 'a "quoted" one'), ("env", "test")), (("env", "no"),))


def some_filter(project: Project, dice: random.Random) -> LogFilter:
    """One to three conditions; each kind comes up again and again."""
    names = dice.sample(
        sorted([*VALUES, *RANGE_CONDITIONS, "text", "tags", "source", "since", "until"]), dice.choice([1, 1, 2, 3])
    )
    return LogFilter(project.id, **{name: some_condition(name, dice) for name in names})


def some_condition(name: str, dice: random.Random) -> Any:
    if name in VALUES:
        return tuple(dice.sample(VALUES[name], dice.choice([1, 2])))
    if name in RANGE_CONDITIONS:
        return dice.choice(NUMBERS), dice.choice(NUMBERS)
    if name in ("since", "until"):
        return START + timedelta(minutes=dice.randrange(500))
    return dice.choice({"text": WORDS_ASKED, "tags": TAGS, "source": ("gateway", "otlp")}[name])


def test_any_filter_finds_the_same_calls_in_the_index_and_in_sql_in_any_order(
    stored: Database, explorer: Explorer, project: Project
) -> None:
    dice, seen = random.Random(4), set()
    for _ in range(60):
        criteria = some_filter(project, dice)
        wanted = by_sql(stored, criteria)
        sort = Sort(dice.choice(SORTS), dice.random() < 0.5)
        listed = all_pages(explorer, criteria, sort, dice.randrange(20, 70))
        assert len(listed) == len(set(listed)) and set(listed) == wanted, criteria
        assert in_order(stored, listed, sort), (criteria, sort)
        assert explorer.count(criteria) == Count(len(wanted), True), criteria
        assert sum(point.calls for point in explorer.series(criteria)) == len(wanted), criteria
        others = replace(criteria, statuses=())
        statuses = explorer.facets(others, ("status",))["status"]
        assert sum(value.calls for value in statuses) == len(by_sql(stored, others)), criteria
        seen.add(len(wanted))
    assert len(seen) > 15


@pytest.mark.parametrize("most_read", [2, 1000])
def test_a_long_search_finds_the_same_as_sql_step_by_step(
    stored: Database, explorer: Explorer, project: Project, monkeypatch: pytest.MonkeyPatch, most_read: int
) -> None:
    monkeypatch.setattr("studio.capture.explorer.service.FEW", 0)
    monkeypatch.setattr(matches, "BUDGET_S", 60.0)
    monkeypatch.setattr(matches, "READ", 7)
    monkeypatch.setattr(matches, "ENOUGH_READ", most_read)
    monkeypatch.setattr(matches, "RARE", 0.6)
    for words in (*WORDS_ASKED, '"refund the" ', '"the refund" naï', "refund re", "the late-deliv", '"the refund'):
        criteria = LogFilter(project.id, text=words)
        wanted = by_sql(stored, criteria)
        assert explorer.count(criteria) == Count(len(wanted), True), words
        assert set(all_pages(explorer, criteria, Sort(), 30)) == wanted, words


def test_every_facet_of_any_filter_counts_what_sql_counts(
    stored: Database, explorer: Explorer, project: Project
) -> None:
    dice = random.Random(5)
    for _ in range(12):
        criteria = some_filter(project, dice)
        for names in (FACETS, ("user", "session", "tag:env", "tag:it's")):
            found = explorer.facets(criteria, names)
            for name in names:
                counted = {value.value: value.calls for value in found[name]}
                assert counted == counted_by_sql(stored, criteria, name), (name, criteria)


def counted_by_sql(database: Database, criteria: LogFilter, facet: str) -> Counter[str]:
    """With the facet's own condition off; tags, users and sessions that a call lacks are not a value."""
    tag = facet.removeprefix("tag:")
    if tag != facet:
        others = replace(criteria, tags=tuple(each for each in criteria.tags if each[0] != tag))
        return Counter(entry.tags[tag] for entry in entries_by_sql(database, others) if tag in entry.tags)
    if facet == "has":
        others = replace(criteria, has=())
        return +Counter({flag: len(by_sql(database, replace(others, has=(flag,)))) for flag in FLAGS})
    condition, column = {**OF_KINDS, **OF_CALLS}[facet]
    others = replace(criteria, **{condition: "" if facet == "source" else ()})
    values = [getattr(entry, column) for entry in entries_by_sql(database, others)]
    none = "none" if facet == "rating" else ""
    return Counter(value or none for value in values if value or facet not in OF_CALLS)


def entries_by_sql(database: Database, criteria: LogFilter) -> list[LogEntry]:
    with database.read() as session:
        return [entry for batch in LogEntryRepository(session).batches(criteria) for entry in batch]


def in_order(database: Database, ids: list[int], sort: Sort) -> bool:
    with database.read() as session:
        values = {each: getattr(session.get(LogEntry, each), sort.by) for each in ids}
    known = [(values[each], each) for each in ids if values[each] is not None]
    unknown = [each for each in ids if values[each] is None]
    best_first = sorted(known, reverse=sort.descending)
    return ids == [each for _, each in best_first] + sorted(unknown, reverse=sort.descending)


def test_what_changes_or_goes_is_seen_by_the_next_question(
    stored: Database, explorer: Explorer, project: Project
) -> None:
    everything = LogFilter(project.id)
    before = explorer.count(everything).n
    first, second = (row for row in explorer.page(everything, limit=2).rows)
    with stored.write() as session:
        entries = LogEntryRepository(session)
        session.get_one(LogEntry, first.id).language = "xx"
        entries.changed([first.id])
        entries.merge_tags(project.id, [second.id], {"fresh": "yes"})
    assert [row.id for row in explorer.page(LogFilter(project.id, languages=("xx",))).rows] == [first.id]
    assert [row.id for row in explorer.page(LogFilter(project.id, tags=(("fresh", "yes"),))).rows] == [second.id]
    assert "fresh" in explorer.tag_names(everything)
    with stored.write() as session:
        LogEntryRepository(session).delete_calls(project.id, [first.id])
        LogEntryRepository(session).insert([call(project.id, CALLS + 1, random.Random(1))])
    assert explorer.count(everything).n == before and not explorer.count(LogFilter(project.id, languages=("xx",))).n


def test_a_call_whose_id_was_given_earlier_and_committed_later_is_not_missed(
    stored: Database, explorer: Explorer, project: Project
) -> None:
    before = explorer.count(LogFilter(project.id)).n
    late, early = call(project.id, CALLS + 1, random.Random(1)), call(project.id, CALLS + 2, random.Random(2))
    with stored.write() as session:
        newest = LogEntryRepository(session).newest_id(project.id)
        session.add(LogEntry(**early, id=newest + 100))
    assert explorer.count(LogFilter(project.id)).n == before + 1
    with stored.write() as session:
        session.add(LogEntry(**late, id=newest + 50))
    assert explorer.count(LogFilter(project.id)).n == before + 2
