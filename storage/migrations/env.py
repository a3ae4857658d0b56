"""Alembic environment: the whole migration is one transaction, foreign keys off on SQLite and checked afterwards."""

from __future__ import annotations

from alembic import context

from storage.tables import metadata

IGNORED = ("log_search",)


def include_object(_object: object, name: str | None, kind: str, _reflected: bool, _compare: object) -> bool:
    """Leave the full-text tables and indexes, written by hand, out of autogenerate."""
    return not (name or "").startswith(IGNORED) and not (kind == "index" and (name or "").startswith("ix_search"))


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    include_object=include_object,
    compare_type=True,
    transactional_ddl=True,
)
context.run_migrations()
