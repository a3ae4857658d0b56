"""Writing, tagging and deleting captured calls leaves every table true, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import SQLModel, select

from storage.database import Database
from storage.repositories.logs import LogEntryRepository
from storage.tables import (
    Dataset,
    Example,
    Feedback,
    LogChange,
    LogEntry,
    LogHour,
    LogTag,
    LogVector,
    Project,
)
from studio.capture.feedback import FeedbackIntake
from studio.capture.filters import LogFilter
from studio.capture.intake import insert_entries
from studio.capture.logs import Logs

AT = datetime(2026, 3, 1, 12, 30, 15, 250, tzinfo=UTC)


def row(project: Project, uid: str, **values: Any) -> dict[str, Any]:
    said = {"messages": [{"role": "user", "content": f'"{uid}" ü\t\\N'}], "prompt_text": f'"{uid}" ü\t\\N\n'}
    sums = {"prompt_tokens": 10, "completion_tokens": 5, "cost_usd": 0.5, "latency_ms": 100.0}
    return (
        {"uid": uid, "project_id": project.id, "created_at": AT, "model": "m", "served_model": "s", "status": "ok"}
        | said
        | sums
        | values
    )


def insert(stored: Database, rows: list[dict[str, Any]]) -> list[int]:
    with stored.write() as session:
        return [each["id"] for each in insert_entries(session, rows)]


def all_of(stored: Database, table: type[SQLModel]) -> list[Any]:
    with stored.read() as session:
        return list(session.exec(select(table)))


def entries(stored: Database) -> list[LogEntry]:
    return sorted(all_of(stored, LogEntry), key=lambda entry: entry.id or 0)


def test_a_row_written_in_bulk_reads_back_whole(stored: Database, project: Project) -> None:
    facts = {"stream": True, "first_token_ms": 12.5, "tools": [{"a": [1, None, "\u2028"]}], "params": {"n": 1e300}}
    more = {
        "prompt_hash": -(2**63),
        "signature": b"\x00\xff\\",
        "redactions": {"email": 2},
        "error": "x\ny",
        "score": 0.5,
    }
    insert(stored, [row(project, "one", **facts, **more), row(project, "two")])
    one, two = entries(stored)
    assert one.created_at == AT and one.prompt_text == '"one" ü\t\\N\n' and one.messages[0]["content"] == '"one" ü\t\\N'
    assert {name: getattr(one, name) for name in facts | more} == facts | more
    assert (two.stream, two.endpoint, two.choices, two.params, two.rating) == (False, "chat", [], {}, None)
    assert Logs(stored).page(LogFilter(project.id, since=AT, until=AT.replace(minute=31)))[0].uid == "two"


def test_tags_are_found_by_all_of_their_values(stored: Database, project: Project) -> None:
    long = {"n" * 64: "v" * 512}
    insert(stored, [row(project, f"u{n}", tags={"even": str(n % 2 == 0), "n": str(n), **long}) for n in range(6)])
    with stored.read() as session:
        calls = LogEntryRepository(session)
        assert [call.uid for call in calls.with_tags(project.id, {"even": "True", **long}, 2)] == ["u4", "u2"]
        assert [call.uid for call in calls.with_tags(project.id, {"even": "True", "n": "2"}, 9)] == ["u2"]
        assert calls.with_tags(project.id, {"even": "True", "n": "1"}, 9) == calls.with_tags(project.id, {}, 9) == []
        assert calls.with_tags("other", {"n": "1"}, 9) == []


def test_tags_are_set_and_unset_and_the_change_is_told(stored: Database, project: Project) -> None:
    ids = insert(stored, [row(project, "a", tags={"keep": "1", "drop": "2"}), row(project, "b", tags={"new": "3"})])
    with stored.write() as session:
        assert LogEntryRepository(session).merge_tags(project.id, [*ids, 999], {"new": "3"}, unset=["drop"]) == 2
        assert LogEntryRepository(session).merge_tags("other", ids, {"new": "4"}) == 0
    assert [call.tags for call in entries(stored)] == [{"keep": "1", "new": "3"}, {"new": "3"}]
    tags = {(tag.log_entry_id, tag.name, tag.value) for tag in all_of(stored, LogTag)}
    assert tags == {(ids[0], "keep", "1"), (ids[0], "new", "3"), (ids[1], "new", "3")}
    assert [(change.log_entry_id, change.kind) for change in all_of(stored, LogChange)] == [(ids[0], "changed")]


@pytest.mark.parametrize(
    ("kind", "said", "column"), [("thumbs", {"value": 1}, "rating"), ("score", {"value": 0.5}, "score")]
)
def test_feedback_tells_the_change(
    stored: Database, project: Project, kind: str, said: dict[str, Any], column: str
) -> None:
    [number] = insert(stored, [row(project, "a")])
    FeedbackIntake(stored).give(project.id, uid="a", kind=kind, **said)
    assert getattr(entries(stored)[0], column) is not None
    assert [change.log_entry_id for change in all_of(stored, LogChange)] == [number]


def test_a_deleted_call_leaves_nothing_behind_but_the_note_that_it_went(stored: Database, project: Project) -> None:
    ids = insert(stored, [row(project, uid, tags={"t": uid}) for uid in ("a", "b", "c")])
    FeedbackIntake(stored).give(project.id, uid="a", kind="thumbs", value=1)
    with stored.write() as session:
        dataset = Dataset(project_id=project.id, name="d")
        session.add(dataset)
        session.flush()
        session.add(Example(dataset_id=dataset.id, log_entry_id=ids[0], output="kept"))
        session.add(LogVector(log_entry_id=ids[0], project_id=project.id, vector=b"v"))
    assert delete(stored, "other", ids) == 0 and delete(stored, project.id, [ids[0], ids[2], 999]) == 2
    assert [call.uid for call in entries(stored)] == ["b"]
    [hour] = all_of(stored, LogHour)
    assert (hour.calls, hour.prompt_tokens, hour.cost_usd, hour.latency_ms) == (1, 10, 0.5, 100.0)
    assert all_of(stored, Feedback) == all_of(stored, LogVector) == []
    assert [tag.value for tag in all_of(stored, LogTag)] == ["b"]
    assert [(example.output, example.log_entry_id) for example in all_of(stored, Example)] == [("kept", None)]
    told = [(change.log_entry_id, change.kind) for change in all_of(stored, LogChange)]
    assert told[0] == (ids[0], "changed") and sorted(told[1:]) == [(ids[0], "deleted"), (ids[2], "deleted")]
    assert len(Logs(stored).page(LogFilter(project.id, text="a"))) == 0


def test_ids_of_deleted_calls_are_never_given_again(stored: Database, project: Project) -> None:
    first = insert(stored, [row(project, "a"), row(project, "b")])
    delete(stored, project.id, first)
    assert all_of(stored, LogHour) == []
    again = insert(stored, [row(project, "c")])
    assert min(again) > max(first)


def delete(stored: Database, project_id: str, ids: Iterable[int]) -> int:
    with stored.write() as session:
        return LogEntryRepository(session).delete_calls(project_id, list(ids))


@pytest.mark.parametrize("first", ["span", "event"])
def test_a_call_told_in_two_parts_is_one_with_its_feedback(stored: Database, project: Project, first: str) -> None:
    traced = {"source": "otlp", "tokens_estimated": False, "trace_id": "t"}
    nothing: dict[str, Any] = {"messages": [], "prompt_text": "", "reply": {}, "prompt_hash": None}
    span = row(project, "a", **traced, **nothing, tags={"service": "shop"})
    event = row(project, "a", **traced, prompt_hash=7, latency_ms=0.0, reply_text="yes", external_id="x", tags={})
    parts = [span, event] if first == "span" else [event, span]
    insert(stored, [parts[0], row(project, "b", source="otlp", external_id="y")])
    FeedbackIntake(stored).give(project.id, trace_id="t", kind="thumbs", value=1, feedback_id="f")
    assert len(insert(stored, [dict(parts[1])])) == 1
    assert insert(stored, [dict(parts[0]), dict(parts[1])]) == [], "nothing new is said"
    _, joined = entries(stored)
    assert (joined.uid, joined.latency_ms, joined.reply_text, joined.prompt_hash) == ("a", 100.0, "yes", 7)
    assert (joined.external_id, joined.tags, joined.rating) == ("x", {"service": "shop"}, "up")
    assert [said.log_entry_id for said in all_of(stored, Feedback)] == [joined.id]
    assert [tag.log_entry_id for tag in all_of(stored, LogTag)] == [joined.id]
    [hour] = all_of(stored, LogHour)
    assert (hour.calls, hour.prompt_tokens, hour.latency_ms) == (2, 20, 200.0)
