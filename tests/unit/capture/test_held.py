"""Feedback that came before its call: thousands of it wait without a write, and each finds its call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from storage.database import Database
from storage.tables import LogEntry, Project
from storage.types import new_id
from studio.capture.held import SELDOMEST_S, Held
from studio.capture.record import FEEDBACK, Record

LONG_AGO = 1_700_000_000.0


def held_record(project: Project, at: float = LONG_AGO, **target: Any) -> Record:
    said = {"kind": "thumbs", "value": 1, **target}
    return Record({"kind": FEEDBACK, "uid": new_id(), "at": at, "project_id": project.id, "feedback": said})


@pytest.fixture
def held(tmp_path: Path) -> Held:
    return Held(tmp_path / "held", keep_s=float("inf"))


def add_call(database: Database, project: Project, **values: Any) -> None:
    with database.write() as session:
        session.add(LogEntry(project_id=project.id, **values))


def arrived(held: Held, database: Database) -> list[dict[str, Any]]:
    held._tried_at = float("-inf")
    due = held.due()
    with database.read() as session:
        return [record.meta["feedback"] for record in held.arrived(session, due)]


@pytest.mark.parametrize("name", ["uid", "external_id", "trace_id", "span_id", "session_id", "id"])
def test_it_is_found_by_any_name_of_its_call(held: Held, database: Database, project: Project, name: str) -> None:
    held.put(held_record(project, **{name: "one"}))
    held.put(held_record(project, **{name: "never"}))
    add_call(database, project, **{"trace_id" if name == "id" else name: "one"})
    assert [said[name] for said in arrived(held, database)] == ["one"]


def test_a_trace_may_be_named_by_the_id_of_its_only_call(held: Held, database: Database, project: Project) -> None:
    held.put(held_record(project, trace_id="u1"))
    add_call(database, project, uid="u1")
    assert len(arrived(held, database)) == 1


def test_another_project_s_call_is_not_it(held: Held, database: Database, project: Project) -> None:
    other = Project(name="other")
    with database.write() as session:
        session.add(other)
    held.put(held_record(project, uid="one"))
    add_call(database, other, uid="one")
    assert arrived(held, database) == []


def test_ten_thousand_that_wait_cost_a_few_queries_and_no_write(
    held: Held, database: Database, project: Project
) -> None:
    held.folder.mkdir(parents=True)
    for number in range(10_000):
        record = held_record(project, **{("uid", "external_id", "trace_id")[number % 3]: f"waits-{number}"})
        (held.folder / str(record.meta["uid"])).write_bytes(record.pack())
    add_call(database, project, external_id="waits-1")
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    assert [said["external_id"] for said in arrived(held, database)] == ["waits-1"]
    asked = [statement for statement in statements if "log_entry" in statement]
    assert len(asked) <= 40 and all(statement.startswith("SELECT") for statement in asked)


def test_what_waits_for_long_is_looked_for_seldom(held: Held, database: Database, project: Project) -> None:
    import time

    old, fresh = held_record(project, uid="old"), held_record(project, at=time.time(), uid="fresh")
    for record in (old, fresh):
        held.put(record)
    held.due()
    waits = {name: held._all()[str(record.meta["uid"])] for name, record in (("old", old), ("fresh", fresh))}
    assert waits["old"].next_at - waits["fresh"].next_at > SELDOMEST_S / 2


def test_a_settled_record_is_gone_for_every_process(held: Held, project: Project) -> None:
    record = held_record(project, uid="one")
    held.put(record)
    held.settle(record, found=True)
    assert Held(held.folder).due() == {} and list(held.folder.iterdir()) == []
