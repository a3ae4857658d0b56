"""Migrations on both databases: rows survive, damage is refused, a crash half-way leaves the old database."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic import command
from sqlalchemy import JSON, Column, MetaData, Table, inspect, text
from sqlmodel import select

from storage.database import Database, make_engine
from storage.migrate import OrphanedRows, _config, back_up, drift, migrate
from storage.repositories.deployments import DeploymentRepository, RevisionRepository
from storage.repositories.jobs import JobRepository
from storage.tables import (
    Deployment,
    Job,
    LogEntry,
    LogTag,
    Project,
    Release,
    Revision,
    ServingPlace,
    TrainingRun,
    metadata,
)
from tests.contract.storage.conftest import Backend

CRASH = """
import os, signal, sys
from sqlalchemy import Engine, event
from storage.migrate import migrate
seen = 0
@event.listens_for(Engine, "after_cursor_execute")
def crash(connection, cursor, statement, *rest):
    global seen
    seen += statement.lstrip().startswith("CREATE TABLE")
    if seen == 12:
        os.kill(os.getpid(), signal.SIGKILL)
migrate(sys.argv[1])
"""


def _at(url: str, revision: str) -> None:
    engine = make_engine(url, foreign_keys=False)
    with engine.begin() as connection:
        command.upgrade(_config(connection), revision)
    engine.dispose()


def _do(url: str, *statements: str) -> None:
    engine = make_engine(url, foreign_keys=False)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def _tables(url: str) -> set[str]:
    engine = make_engine(url)
    found = set(inspect(engine).get_table_names())
    engine.dispose()
    return found


def test_an_empty_database_gets_every_table(backend: Backend) -> None:
    url = backend.empty()
    revision = migrate(url)
    assert revision and set(metadata.tables) <= _tables(url)


def test_migrating_twice_changes_nothing(backend: Backend) -> None:
    url = backend.empty()
    assert migrate(url) == migrate(url)


def test_the_migrated_database_is_what_the_tables_say(backend: Backend) -> None:
    assert drift(backend.migrated()) == []


def test_drift_notices_a_missing_column(backend: Backend) -> None:
    url = backend.migrated()
    _do(url, "ALTER TABLE project DROP COLUMN description")
    assert "description" in str(drift(url))


def test_rows_of_the_first_schema_survive_and_can_be_searched(backend: Backend) -> None:
    url = backend.empty()
    _at(url, "0001")
    _insert(url, "project", id="p", name="old")
    said = {"prompt_text": "refund for a broken kettle", "reply_text": "sure", "tags": {"plan": "pro", "seats": 3}}
    _insert(url, "log_entry", id=7, uid="u", project_id="p", created_at=datetime(2026, 1, 1, tzinfo=UTC), **said)
    migrate(url)
    database = Database(url)
    with database.read() as session:
        assert session.get(Project, "p") is not None
        found = session.connection().execute(text(_search(database))).scalars().all()
        tags = session.exec(select(LogTag.name, LogTag.value, LogTag.log_entry_id)).all()
        old = session.get_one(LogEntry, 7)
    database.close()
    assert len(found) == 1
    assert sorted(tags) == [("plan", "pro", 7), ("seats", "3", 7)]
    assert (old.endpoint, old.choices, old.redactions, old.language) == ("chat", [], {}, "")


def _search(database: Database) -> str:
    if database.is_sqlite:
        return "SELECT rowid FROM log_search WHERE log_search MATCH 'kettle'"
    vector = "to_tsvector('simple', prompt_text || ' ' || reply_text)"
    return f"SELECT id FROM log_entry WHERE {vector} @@ plainto_tsquery('simple', 'kettle')"


def test_jobs_and_runs_of_before_keep_their_place_and_can_go_back(backend: Backend) -> None:
    url = backend.empty()
    _at(url, "0003")
    early, late = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2))
    _insert(url, "project", id="p", name="old")
    for name, at in (("j1", early), ("j2", late)):
        _insert(url, "job", id=name, project_id="p", kind="train", title=name, status="queued", created_at=at)
    _insert(url, "dataset", id="d", project_id="p", name="tickets")
    _insert(url, "dataset_version", id="v", dataset_id="d", number=1)
    _insert(url, "model", id="m", project_id="p", name="tiny", kind="base")
    run = {"project_id": "p", "dataset_version_id": "v", "base_model_id": "m", "job_id": "j1"}
    _insert(url, "training_run", id="r", name="first", method="sft", summary={"loss": 1.5}, **run)
    migrate(url)
    database = Database(url)
    with database.read() as session:
        queue = JobRepository(session).queued()
        found = session.get_one(TrainingRun, "r")
    database.close()
    assert [(job.id, job.order_at) for job in queue] == [("j1", early), ("j2", late)]
    assert (found.runner, found.tags, found.card, found.summary) == ("local", [], {}, {"loss": 1.5})
    _back(url, "0003")
    assert {"rehearsal", "compute_target", "doubt"} & _tables(url) == set()
    migrate(url)
    database = Database(url)
    with database.read() as session:
        assert session.get_one(TrainingRun, "r").summary == {"loss": 1.5}
        assert session.get_one(Job, "j2").order_at == late
    database.close()


def test_deployments_of_before_go_on_answering_and_can_go_back(backend: Backend) -> None:
    url, split = backend.empty(), [{"model_id": "m", "revision_id": "r", "weight": 100}]
    _at(url, "0004")
    _insert(url, "project", id="p", name="old")
    _insert(url, "model", id="m", project_id="p", name="tuned", kind="tuned", digest="0" * 64)
    _insert(url, "deployment", id="d", project_id="p", alias="triage")
    facts = {"number": 1, "target": "embedded", "state": "ready", "desired": "running", "dialect": "tgi"}
    server = {"handle": "42:1", "endpoint": "http://127.0.0.1:9", "spec": {"served_name": "triage-r1"}}
    gates = [{"gate": "golden", "passed": True, "evidence": {}, "at": ""}]
    _insert(url, "revision", id="r", deployment_id="d", model_id="m", certificate=gates, **facts, **server)
    _insert(url, "release", id="l", deployment_id="d", number=1, routes=split, reason="first", created_by="anna")
    _insert(url, "deployment_event", id="e", deployment_id="d", revision_id="r", what="ready", who="anna")
    migrate(url)
    _keeps_its_traffic(url, split)
    database = Database(url)
    with database.write() as session:
        place = ServingPlace(name="gpu-1", kind="tgi", created_by="anna")
        session.add(place)
        session.flush()
        session.get_one(Revision, "r").place_id = place.id
        session.get_one(Deployment, "d").rules = {"timeout_s": 5}
        session.get_one(Release, "l").shadows = [{"revision_id": "r", "percent": 20}]
    database.close()
    _back(url, "0004")
    assert {"serving_place", "traffic_minute", "shadow_pair"} & _tables(url) == set()
    migrate(url)
    _keeps_its_traffic(url, split)


def _keeps_its_traffic(url: str, split: list[dict[str, object]]) -> None:
    """As it answered before, with nothing set that is new."""
    database = Database(url)
    with database.read() as session:
        ((deployment, release),) = DeploymentRepository(session).newest_releases()
        (revision,) = DeploymentRepository(session).ready_revisions()
        assert [row.id for row in RevisionRepository(session).to_reconcile()] == ["r"]
        assert revision.certificate[0]["passed"] and release.evidence == {}
    database.close()
    assert (deployment.alias, deployment.rules) == ("triage", {})
    assert (release.routes, release.shadows, release.reason) == (split, [], "first")
    assert (revision.place_id, revision.form, revision.digest, revision.strategy) == (None, "merged", "", "blue_green")
    assert (revision.endpoint, revision.handle) == ("http://127.0.0.1:9", "42:1")
    assert revision.spec == {"served_name": "triage-r1"}


def _insert(url: str, table: str, **values: object) -> None:
    """A row of the schema as it is there; what must not be empty and is not given gets its type's nothing."""
    engine = make_engine(url)
    with engine.begin() as connection:
        there = Table(table, MetaData(), autoload_with=connection)
        row = {each.name: values.get(each.name, _nothing(each)) for each in there.columns if _is_set(each, values)}
        connection.execute(there.insert().values(row))
    engine.dispose()


def _is_set(column: Column[Any], values: dict[str, object]) -> bool:
    return column.name in values or not (column.nullable or column.server_default)


def _nothing(column: Column[Any]) -> object:
    if isinstance(column.type, JSON):
        return {}
    return (
        datetime(2026, 1, 1, tzinfo=UTC) if issubclass(column.type.python_type, datetime) else column.type.python_type()
    )


def _back(url: str, revision: str) -> None:
    engine = make_engine(url, foreign_keys=False)
    with engine.begin() as connection:
        command.downgrade(_config(connection), revision)
    engine.dispose()


def test_a_crash_half_way_leaves_the_database_as_it_was(backend: Backend) -> None:
    url = backend.empty()
    _do(url, "CREATE TABLE earlier (id INTEGER)", "INSERT INTO earlier VALUES (7)")
    done = subprocess.run([sys.executable, "-c", CRASH, url], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert _tables(url) == {"earlier"}
    assert migrate(url) and "project" in _tables(url)


def test_damage_is_refused_and_the_database_stays_at_its_revision(backend: Backend) -> None:
    if backend.name != "sqlite":
        pytest.skip("PostgreSQL checks foreign keys itself, also during migrations")
    url = backend.empty()
    _at(url, "0001")
    _do(url, "INSERT INTO job_event (id, job_id, at, what) VALUES ('e', 'nothing', '2026-01-01 00:00:00', 'x')")
    with pytest.raises(OrphanedRows, match="job_event"):
        migrate(url)
    assert "log_search" not in _tables(url)


def test_the_database_is_copied_before_it_is_changed(backend: Backend) -> None:
    if backend.name != "sqlite":
        pytest.skip("PostgreSQL is backed up by its own tools")
    url = backend.empty()
    _at(url, "0001")
    _do(url, "INSERT INTO project (id, name, description, is_sample, created_at) VALUES ('p','n','',0,'2026-01-01')")
    migrate(url)
    copy = url.replace(".db", ".before-migration.db")
    assert "log_search" in _tables(url) and "log_search" not in _tables(copy)
    engine = make_engine(copy)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM project")).scalar() == "n"
    engine.dispose()


def test_nothing_is_copied_when_there_is_nothing_to_copy(backend: Backend) -> None:
    assert back_up(backend.empty()) is None
