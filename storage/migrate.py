"""Bring a database to the newest schema, keeping a copy of it first.

SQLite batch migrations with foreign keys on delete child rows through ON DELETE CASCADE, so they run on an engine of
their own with foreign keys off, and nothing is committed if `PRAGMA foreign_key_check` finds an orphan.
"""

from __future__ import annotations

import sys
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from storage.database import make_engine
from storage.tables import metadata

HERE = Path(__file__).parent / "migrations"


class OrphanedRows(RuntimeError):
    """The migration would leave rows that point at nothing; it was rolled back and the database is as it was."""


def migrate(url: str) -> str:
    """Upgrade to the newest schema and return its revision. Raises OrphanedRows and changes nothing on damage."""
    engine = make_engine(url, foreign_keys=False)
    try:
        if _pending(engine.connect()):
            back_up(url)
        with engine.begin() as connection:
            command.upgrade(_config(connection), "head")
            _refuse_orphans(connection)
            return _revision(connection) or ""
    finally:
        engine.dispose()


def back_up(url: str) -> Path | None:
    """Copy a SQLite database beside itself with VACUUM INTO; PostgreSQL is backed up by its own tools."""
    path = Path(make_url(url).database or "")
    if not url.startswith("sqlite") or not path.exists() or path.stat().st_size == 0:
        return None
    target, part = path.with_suffix(".before-migration.db"), path.with_suffix(".before-migration.part")
    part.unlink(missing_ok=True)
    engine = make_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        connection.rollback()
        raw.execute("VACUUM INTO ?", (str(part),))
    engine.dispose()
    part.replace(target)
    return target


def drift(url: str) -> list[object]:
    """Differences between the tables and the migrated database; empty when they agree."""
    engine = make_engine(url, foreign_keys=False)
    with engine.connect() as connection:
        options = {"include_object": _ours, "compare_type": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def _ours(_object: object, name: str | None, kind: str, *_rest: object) -> bool:
    return not (name or "").startswith("log_search") and not (kind == "index" and (name or "").startswith("ix_search"))


def _pending(connection: Connection) -> bool:
    with connection:
        current = _revision(connection)
        return current is not None and current != ScriptDirectory.from_config(_config(connection)).get_current_head()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_orphans(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        orphans = connection.execute(text("PRAGMA foreign_key_check")).fetchall()
        if orphans:
            raise OrphanedRows(f"{OrphanedRows.__doc__} First: {orphans[0]}")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.attributes["connection"] = connection
    return config


def _write_next(message: str, url: str = "sqlite:////tmp/whetstone-next-migration.db") -> None:
    """Autogenerate the next migration against a database that is at head."""
    engine = make_engine(url, foreign_keys=False)
    with engine.connect() as connection:
        config = _config(connection)
        command.upgrade(config, "head")
        count = len(list(ScriptDirectory.from_config(config).walk_revisions()))
        command.revision(config, message, autogenerate=True, rev_id=f"{count + 1:04d}")


if __name__ == "__main__":
    _write_next(sys.argv[-1])
