"""The one thing kept beside Argilla's own tables: an FTS5 document per text field of a record (SQLite only).

It heals itself: records without a document, after a crash or another engine, get theirs at the next start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa
from argilla_server.database import AsyncSessionLocal
from argilla_server.models import Dataset, Record
from sqlalchemy import exists, func, select
from sqlalchemy.orm import selectinload

from .querytext import tokenizable

BATCH = 1000
FEW = 5000
"""Ids per IN (...) clause."""
METADATA = sa.MetaData()
DOCUMENT = sa.Table(
    "studio_search_doc",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("record_id", sa.Uuid(), nullable=False),
    sa.Column("dataset_id", sa.Uuid(), nullable=False, index=True),
    sa.Column("field", sa.Text, nullable=False),
    sa.UniqueConstraint("record_id", "field"),
)
CREATE_FTS = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS studio_search_fts "
    "USING fts5(body, tokenize='unicode61 remove_diacritics 0', prefix='2 3')"
)

RecordText = tuple[Any, dict[str, Any]]
"""A record's id and its fields."""


async def prepare() -> None:
    """Make the tables and index what is not indexed yet."""
    async with AsyncSessionLocal() as db:
        connection = await db.connection()
        await connection.run_sync(METADATA.create_all)
        await connection.exec_driver_sql(CREATE_FTS)
        await db.commit()
        without = select(Record.dataset_id).where(_without_document()).distinct()
        datasets = (await db.scalars(without)).all()
    for dataset_id in datasets:
        await _heal(dataset_id)


async def write(dataset_id: Any, rows: list[RecordText]) -> None:
    """Put these records' documents in the place of their old ones."""
    if not rows:
        return
    names = await _text_fields(dataset_id)
    documents = [document for row in rows for document in _documents(row, names)]
    ids = [row[0] for row in rows]

    def replace(connection: Any) -> None:
        for few in _batches(ids):
            _delete(connection, DOCUMENT.c.record_id.in_(few))
        _insert(connection, dataset_id, documents)

    await _in_transaction(replace)


async def delete(condition: Any) -> None:
    """Remove the documents that meet the condition."""
    await _in_transaction(lambda connection: _delete(connection, condition))


def plain_text(value: Any) -> str:
    """The text of a field's value: text, chat messages, or a custom field's tree."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, list):
        return "\n".join(plain_text(item.get("content") if isinstance(item, dict) else item) for item in value)
    if isinstance(value, dict):
        return " ".join(plain_text(item) for item in value.values())
    return str(value)


def _documents(row: RecordText, names: set[str]) -> list[tuple[Any, str, str]]:
    record_id, fields = row
    found = [
        (record_id, name, tokenizable(plain_text(value)))
        for name, value in (fields or {}).items()
        if name in names and value is not None
    ]
    return found or [(record_id, "", "")]  # an empty one marks the record as seen


def _without_document() -> Any:
    return ~exists(select(DOCUMENT.c.id).where(DOCUMENT.c.record_id == Record.id))


async def _heal(dataset_id: Any) -> None:
    query = select(Record.id, Record.fields).where(Record.dataset_id == dataset_id, _without_document()).limit(BATCH)
    while True:
        async with AsyncSessionLocal() as db:
            rows = [(row.id, row.fields) for row in (await db.execute(query)).all()]
        if not rows:
            return
        await write(dataset_id, rows)


async def _text_fields(dataset_id: Any) -> set[str]:
    async with AsyncSessionLocal() as db:
        dataset = await Dataset.get(db, dataset_id, options=[selectinload(Dataset.fields)])
        return {field.name for field in dataset.fields if not field.is_image}


async def _in_transaction(work: Callable[[Any], None]) -> None:
    async with AsyncSessionLocal() as db:
        connection = await db.connection()
        await connection.run_sync(work)
        await db.commit()


def _insert(connection: Any, dataset_id: Any, documents: list[tuple[Any, str, str]]) -> None:
    first = (connection.execute(select(func.max(DOCUMENT.c.id))).scalar() or 0) + 1
    rows = [
        {"id": first + at, "record_id": record_id, "dataset_id": dataset_id, "field": field}
        for at, (record_id, field, _body) in enumerate(documents)
    ]
    connection.execute(DOCUMENT.insert(), rows)
    bodies = [{"id": first + at, "body": body} for at, (_record, _field, body) in enumerate(documents)]
    connection.execute(sa.text("INSERT INTO studio_search_fts(rowid, body) VALUES (:id, :body)"), bodies)


def _delete(connection: Any, condition: Any) -> None:
    ids = list(connection.execute(select(DOCUMENT.c.id).where(condition)).scalars())
    if not ids:
        return
    connection.execute(sa.text("DELETE FROM studio_search_fts WHERE rowid = :id"), [{"id": each} for each in ids])
    for few in _batches(ids):
        connection.execute(DOCUMENT.delete().where(DOCUMENT.c.id.in_(few)))


def _batches(ids: list[Any]) -> Iterable[list[Any]]:
    return (ids[at : at + FEW] for at in range(0, len(ids), FEW))
