"""Full-text search: FTS5 with bm25 on SQLite, jsonb_to_tsvector on PostgreSQL.

PostgreSQL's parser takes `<word>` for a tag and does not index it; SQLite does.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from argilla_server.models import Dataset, Record
from sqlalchemy import String, and_, cast, false, func, literal, not_, or_, select
from sqlalchemy.dialects.postgresql import JSONB

from .fulltext_index import DOCUMENT
from .jsonsql import is_postgresql
from .querytext import CJK, Group, Node, Not, Phrase, parse, positive_phrases


def node_of(query: Any) -> Node | None:
    """The parsed text of a query: a plain string or Argilla's TextQuery."""
    if query is None:
        return None
    return parse(query if isinstance(query, str) else query.q)


def field_of(query: Any) -> str | None:
    """The one field the query is about, or None for all."""
    return None if query is None or isinstance(query, str) else query.field


def matches(dataset: Dataset, node: Node, field: str | None) -> Any:
    """The condition on Record that its text matches the query."""
    if isinstance(node, Group):
        parts = [matches(dataset, inner, field) for inner in node.nodes]
        return and_(*parts) if node.kind == "and" else or_(*parts)
    if isinstance(node, Not):
        return not_(matches(dataset, node.node, field))
    return _in_postgresql(node, field) if is_postgresql() else _in_sqlite(dataset, node, field)


def ranking(dataset: Dataset, node: Node | None, field: str | None) -> Any:
    """A subquery (record_id, score): bm25 on SQLite, ts_rank on PostgreSQL; None where there is nothing to rank."""
    phrases = positive_phrases(node)
    if not phrases:
        return None
    if is_postgresql():
        score = sum((func.ts_rank(_vector(field), _tsquery(phrase)) for phrase in phrases), start=literal(0.0))
        query = select(Record.id.label("record_id"), score.label("score")).where(Record.dataset_id == dataset.id)
        return query.subquery("scores")
    text = "SELECT rowid, -rank AS score FROM studio_search_fts WHERE studio_search_fts MATCH :wanted"
    hits = _bound(text, " OR ".join(_fts(phrase) for phrase in phrases))
    found = hits.columns(sa.column("rowid", sa.Integer), sa.column("score", sa.Float)).subquery("hits")
    query = select(DOCUMENT.c.record_id, func.sum(found.c.score).label("score"))
    query = query.join(found, found.c.rowid == DOCUMENT.c.id).where(DOCUMENT.c.dataset_id == dataset.id)
    if field:
        query = query.where(DOCUMENT.c.field == field)
    return query.group_by(DOCUMENT.c.record_id).subquery("scores")


def _in_sqlite(dataset: Dataset, phrase: Phrase, field: str | None) -> Any:
    hits = _bound("SELECT rowid FROM studio_search_fts WHERE studio_search_fts MATCH :wanted", _fts(phrase))
    query = select(DOCUMENT.c.record_id).where(
        DOCUMENT.c.dataset_id == dataset.id, DOCUMENT.c.id.in_(hits.columns(sa.column("rowid")))
    )
    return Record.id.in_(query.where(DOCUMENT.c.field == field) if field else query)


def _in_postgresql(phrase: Phrase, field: str | None) -> Any:
    if CJK.search("".join(phrase.words)):  # PostgreSQL's parser makes one token of a run of CJK characters
        return func.coalesce(cast(_source(field), String).ilike("%" + "".join(phrase.words) + "%"), false())
    return func.coalesce(_vector(field).op("@@")(_tsquery(phrase)), false())


def _source(field: str | None) -> Any:
    source = cast(Record.fields, JSONB)
    return source.op("->")(field) if field else source


def _vector(field: str | None) -> Any:
    return func.jsonb_to_tsvector(sa.text("'simple'"), _source(field), sa.text("'[\"string\"]'::jsonb"))


def _tsquery(phrase: Phrase) -> Any:
    """Words are letters and digits only, so they are no syntax."""
    if phrase.prefix:
        return func.to_tsquery(sa.text("'simple'"), " <-> ".join(phrase.words) + ":*")
    return func.phraseto_tsquery(sa.text("'simple'"), " ".join(phrase.words))


def _fts(phrase: Phrase) -> str:
    """The phrase in FTS5's syntax; words are letters and digits only, so quoting is safe."""
    return '"' + " ".join(phrase.words) + '"' + ("*" if phrase.prefix else "")


def _bound(text: str, wanted: str) -> Any:
    return sa.text(text).bindparams(sa.bindparam("wanted", wanted, unique=True))
