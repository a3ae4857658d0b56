"""No record, however odd, stops the recorder, what it does afterwards, or the explorer: on SQLite and on PostgreSQL."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson

from storage.database import Database
from storage.repositories.logs import LogEntryRepository
from storage.tables import Feedback, LogChange, LogEntry, Project
from storage.types import new_id, now
from studio.capture.drain import CHANGES_STAY, TIDY_EVERY_S, Drain
from studio.capture.enrich.enricher import Enricher
from studio.capture.explorer.service import Explorer
from studio.capture.filters import LogFilter
from studio.capture.journal import Journal
from studio.capture.privacy.forget import CallsForgotten, forget_calls, forget_files
from studio.capture.record import FEEDBACK, Record
from studio.settings import Settings

ODD = [
    "a\x00b",
    "\ud800",
    "\udfff\ud800",
    "😀" * 500,
    "'; DROP TABLE log_entry; --",
    "{}%s$1:x?",
    "\\u0000",
    "\x1b[2J\u202e",
]
NAMED = ("model", "external_id", "trace_id", "span_id", "parent_span_id", "session_id", "user_id", "error", "source")
NAMED += ("endpoint", "status", "upstream_model", "api_key_id", "deployment_id", "revision_id", "provider_id")
NUMBERED = ("at", "http_status", "latency_ms", "first_token_ms", "prompt_tokens", "completion_tokens", "cost_usd")
NUMBERS: list[Any] = [
    -1,
    0,
    1e308,
    -1e308,
    2**62,
    10**400,
    "NaN",
    "-Infinity",
    "x",
    [],
    {},
    1e15,
    253402300799.0,
    -62135596801,
]
ANSWER = {
    "id": "x",
    "model": "m",
    "choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
}


def call(project: Project, **meta: Any) -> Record:
    told = {"uid": new_id(), "at": time.time(), "project_id": project.id, "model": "m"}
    body = meta.pop("request", {"model": "m", "messages": [{"role": "user", "content": "hello"}]})
    reply = meta.pop("reply", {**ANSWER, "id": new_id()})
    as_bytes = [part if isinstance(part, bytes) else orjson.dumps(part) for part in (body, reply)]
    return Record({**told, **meta}, *as_bytes)


def said(project: Project, **fields: Any) -> Record:
    return Record({"kind": FEEDBACK, "uid": new_id(), "at": time.time(), "project_id": project.id, "feedback": fields})


def odd_calls(project: Project) -> list[Record]:
    made = [call(project, **{name: odd}) for name in NAMED for odd in ODD]
    made += [call(project, **{name: odd}) for name in NUMBERED for odd in NUMBERS]
    made += [call(project, tags={odd: odd}) for odd in ODD]
    made += [call(project, redactions={odd: odd}) for odd in ODD]
    for odd in (b"\\ud800", b"\\u0000", b"\\udfffx"):
        turn = b'{"role": "%s", "content": "%s", "name": "%s"}' % (odd, odd, odd)
        body = b'{"model": "%s", "user": "%s", "%s": "%s", "tools": [{"%s": 1}], "metadata": {"%s": "%s"}, "messages": '
        made.append(call(project, request=body % (odd, odd, odd, odd, odd, odd, odd) + b"[%s]}" % turn))
        choice = b'{"message": %s, "finish_reason": "%s", "logprobs": {"%s": 1}}' % (turn, odd, odd)
        reply = b'{"id": "%s", "model": "%s", "choices": [%s, %s], "usage": {"prompt_tokens": 1e400}}'
        made.append(call(project, reply=reply % (odd, odd, choice, choice)))
    deep = b"[" * 5000 + b"]" * 5000
    made.append(call(project, request=b'{"model": "m", "messages": %s}' % deep))
    made.append(call(project, request=b'{"model": "m", "messages": [{"role": "user", "content": %s}]}' % deep))
    mid = b"[" * 900 + b"]" * 900
    made.append(call(project, request=b'{"model": "m", "messages": [{"role": "user", "content": %s}]}' % mid))
    made.append(
        call(
            project,
            request=b'{"model": "m", "messages": [{"role": "user", "content": [{"type":"text","text":%s}]}]}' % mid,
        )
    )
    return made


def drained(database: Database, folder: Path, records: list[Record], drain: Drain | None = None) -> Drain:
    journal = Journal(folder)
    for record in records:
        assert journal.append(record.pack())
    journal.close()
    drain = drain or Drain(database, folder, Enricher(database).once)
    drain._try(0.0)
    return drain


def test_odd_calls_are_kept_or_set_aside_and_those_around_them_arrive(
    stored: Database, project: Project, tmp_path: Path
) -> None:
    good = [call(project) for _ in range(3)]
    odd = odd_calls(project)
    middle = len(odd) // 2
    drained(stored, tmp_path / "journal", [good[0], *odd[:middle], good[1], *odd[middle:], good[2]])
    enricher = Enricher(stored)
    while enricher.once():
        pass
    with stored.read() as session:
        rows = {row.uid: row for row in session.query(LogEntry)}
    lost = [record for record in odd if record.meta["uid"] not in rows]
    aside = b"".join(path.read_bytes() for path in (tmp_path / "journal" / "damaged").iterdir())
    assert all(record.meta["uid"].encode() in aside for record in lost) and len(lost) < 20
    assert {record.meta["uid"] for record in good} <= set(rows)
    explorer = Explorer(stored, tmp_path / "index")
    assert explorer.count(LogFilter(project.id)).n == len(rows)
    explorer.close()


ODD_FEEDBACK: list[dict[str, Any]] = [
    {"kind": "comment", "text": "a", "source": "a\x00b"},
    {"kind": "comment", "text": "a\x00", "given_by": "\ud800", "name": "\x00"},
    {"kind": "comment", "text": "\ud800 half"},
    {"kind": "score", "value": 1e308, "name": "x" * 120},
    {"kind": "score", "value": -1e308},
    {"kind": "thumbs", "value": 1, "at": "9999-12-31T23:59:59-14:00"},
    {"kind": "thumbs", "value": 1, "at": "0001-01-01T00:00:00+14:00"},
    {"kind": "thumbs", "value": 1, "at": 253402300799},
    {"kind": "thumbs", "value": 1, "at": -62135596800},
    {"kind": "thumbs", "value": 1, "feedback_id": "a\x00b\ud800"},
    {"kind": "tags", "set": {"a\x00b": "\x00", "\ud800": "\ud800", "x" * 5000: "y" * 500_000}},
    {"kind": "tags", "set": {"'; DROP TABLE log_tag; --": "%s{}$1", "": ""}},
]
OF_NO_CALENDAR, OF_TAGS = 2, 2
NAMES: list[dict[str, Any]] = [
    {"uid": "a\x00b"},
    {"external_id": "\x00"},
    {"trace_id": "\ud800", "span_id": "\x00"},
    {"session_id": "'; --\x00"},
    {"id": "\x00" * 200},
    {"tags": {"\x00": "\x00"}},
    {"tags": {"\ud800": "\udfff"}, "model": "\x00"},
]


def test_odd_feedback_stops_nobody_whether_it_comes_before_or_after_its_call(
    stored: Database, project: Project, tmp_path: Path
) -> None:
    late, early = call(project), call(project)
    uid = early.meta["uid"]
    before = [said(project, **odd, uid=uid) for odd in ODD_FEEDBACK]
    after = [said(project, **odd, uid=late.meta["uid"]) for odd in ODD_FEEDBACK]
    nowhere = [said(project, kind="score", value=0.5, **name) for name in NAMES]
    drain = drained(stored, tmp_path / "journal", [*before, late, *after, *nowhere])
    last = call(project)
    praised = said(project, kind="thumbs", value=1, uid=last.meta["uid"])
    drained(stored, tmp_path / "journal", [early, last, praised], drain)
    drain.held._tried_at = -10.0
    for held in drain.held._all().values():
        held.next_at = 0.0
    drained(stored, tmp_path / "journal", [], drain)
    with stored.read() as session:
        rows = {row.uid: row for row in session.query(LogEntry)}
        given = [row.log_entry_id for row in session.query(Feedback) if row.value != 0.5]
    taken = len(ODD_FEEDBACK) - OF_NO_CALENDAR - OF_TAGS
    assert given.count(rows[uid].id or 0) == taken == given.count(rows[late.meta["uid"]].id or 0)
    assert rows[last.meta["uid"]].rating == "up"
    explorer = Explorer(stored, tmp_path / "index")
    assert explorer.count(LogFilter(project.id)).n == 3
    explorer.close()


def test_a_waiting_record_that_cannot_be_read_is_set_aside(stored: Database, project: Project, tmp_path: Path) -> None:
    good = call(project)
    folder = tmp_path / "journal"
    drained(stored, folder, [said(project, kind="thumbs", value=1, uid=good.meta["uid"])])
    (folder / "held" / "broken").write_bytes(b"no record")
    (folder / "held" / "empty").write_bytes(b"")
    drained(stored, folder, [good])
    drained(stored, folder, [])
    with stored.read() as session:
        assert session.query(LogEntry).one().uid == good.meta["uid"]


def test_notes_of_changes_go_after_two_days_and_an_explorer_that_missed_them_begins_anew(
    stored: Database, project: Project, tmp_path: Path
) -> None:
    calls = [call(project, tags={"state": "new"}) for _ in range(4)]
    drain = drained(stored, tmp_path / "journal", calls)
    behind = Explorer(stored, tmp_path / "behind")
    begun = LogFilter(project.id, tags=(("state", "old"),))
    assert behind.count(begun).n == 0
    behind.close()
    with stored.write() as session:
        writes = LogEntryRepository(session)
        writes.merge_tags(project.id, [row.id or 0 for row in session.query(LogEntry)], {"state": "old"})
        session.query(LogChange).update({"at": now() - CHANGES_STAY - timedelta(minutes=1)})
    drain._forgot_at = -TIDY_EVERY_S
    drain._forget_changes()
    with stored.read() as session:
        [left] = session.query(LogChange).all()
        assert left.id and left.id >= len(calls), "the newest stays, so that no id is given twice"
    again = Explorer(stored, tmp_path / "behind")
    assert again.count(begun).n == 4
    drain._forgot_at = -TIDY_EVERY_S
    drain._forget_changes()
    with stored.write() as session:
        LogEntryRepository(session).merge_tags(project.id, [session.query(LogEntry).first().id], {"state": "new"})
    assert again.count(begun).n == 3
    again.close()


def test_feedback_that_is_forgotten_while_it_waits_stops_nobody_when_its_call_comes(
    stored: Database, project: Project, tmp_path: Path
) -> None:
    folder, late, other = tmp_path / "journal", call(project), call(project)
    drain = drained(stored, folder, [said(project, kind="thumbs", value=1, uid=late.meta["uid"])])
    drain.held._all()
    [waiting] = (folder / "held").iterdir()
    waiting.unlink()
    drained(stored, folder, [late], drain)
    drain.held._tried_at = -10.0
    for held in drain.held._all().values():
        held.next_at = 0.0
    drained(stored, folder, [other], drain)
    with stored.read() as session:
        assert {row.uid for row in session.query(LogEntry)} == {late.meta["uid"], other.meta["uid"]}
    assert not drain.held._all()


def test_a_forgotten_user_is_in_no_file_of_the_explorer(stored: Database, project: Project, tmp_path: Path) -> None:
    name = "forgetme-alice"
    calls = [
        call(project, user_id=name, tags={"mail": name}),
        *(call(project, user_id=f"u{each}") for each in range(50)),
    ]
    drained(stored, tmp_path / "journal", calls)
    settings = Settings(home=tmp_path / "home")
    explorer = Explorer(stored, settings.root)
    assert explorer.count(LogFilter(project.id)).n == 51
    done = CallsForgotten()
    forget_calls(stored, project.id, [name], done, lambda _: None)
    forget_files(settings, stored, project.id, [name], done)
    assert explorer.count(LogFilter(project.id)).n == 50
    explorer.close()
    files = [path for path in settings.root.glob("explorer*")]
    assert files and not [path for path in files if name.encode() in path.read_bytes()]
