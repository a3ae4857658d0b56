"""Full text search over prompts and replies: FTS5 on SQLite, a GIN index on PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from typing import Any

from sqlalchemy import Integer, String, bindparam, cast, column, func, literal_column, table, text
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlmodel import col

from storage.repositories.log_criteria import Criteria
from storage.tables import LogEntry

LIES = (
    "array_to_tsvector(ARRAY['#p' || log_entry.project_id, '#12.' || (log_entry.id / 4096)::text,"
    " '#16.' || (log_entry.id / 65536)::text, '#20.' || (log_entry.id / 1048576)::text])"
)
"""What the text index knows beside the words: whose call it is, in which stretches of ids (to search step by step)."""
STRETCHES = (12, 16, 20)
"""Bits of those stretches."""
SEARCH = table("log_search", column("rowid", Integer))
TOKENS = re.compile(r'"[^"]*"?|\S+')


def has_words(criteria: Criteria) -> bool:
    """Whether there is something to search for; quotation marks alone are nothing."""
    return bool(criteria.text.strip(' "\t\n'))


def search_tokens(words: str) -> tuple[list[str], bool]:
    """What a person typed, word by word (what is in quotation marks is one), and whether the last one is unfinished."""
    tokens = TOKENS.findall(words)
    bare = [bare for token in tokens if (bare := token.strip('"')).strip()]
    typing = bool(bare) and not words[-1:].isspace() and not tokens[-1].endswith('"')
    return bare, typing


def match_expression(words: str) -> str:
    """What a person typed as a safe FTS5 query: every token quoted, the last one a prefix while it is being typed."""
    tokens, typing = search_tokens(words)
    quoted = ['"' + token.replace('"', '""') + '"' for token in tokens]
    return " ".join(quoted) + ("*" if typing else "")


def matches_sqlite(words: str) -> list[Any]:
    """Conditions on `log_entry` beside `SEARCH`."""
    matching = text("log_search MATCH :words").bindparams(bindparam("words", match_expression(words), String))
    return [matching, SEARCH.c.rowid == col(LogEntry.id)]


def search_document() -> Any:
    """The expression of PostgreSQL's text index: a call's words, and where it lies (see `LIES`)."""
    words: Any = func.to_tsvector(
        literal_column("'simple'"), literal_column("log_entry.prompt_text || ' ' || log_entry.reply_text")
    )
    return words.op("||")(literal_column(LIES))


def postgres_query(words: str, *lexemes: str) -> Any:
    """What a person typed as a text query, narrowed to calls with these lexemes of `LIES`."""
    tokens, typing = search_tokens(words)
    simple: Any = literal_column("'simple'")
    parts: list[Any] = [func.phraseto_tsquery(simple, token) for token in tokens]
    if typing:
        unfinished = "'" + tokens[-1].replace("\\", " ").replace("'", "''") + "':*"
        parts[-1] = func.to_tsquery(simple, unfinished)
    return reduce(lambda left, right: left.op("&&")(right), parts + _lying(lexemes))


def rest_on_reading(words: str) -> tuple[bool, bool]:
    """What PostgreSQL's index cannot tell, or not soon: words in a row or with signs in them; an unfinished word."""
    tokens, typing = search_tokens(words)
    return not all(token.isalnum() for token in tokens), typing


def loose_query(words: str, *lexemes: str) -> Any:
    """What the index tells soon of any such call: it has the finished words, wherever they are."""
    tokens, typing = search_tokens(words)
    finished = tokens[:-1] if typing else tokens
    parts: list[Any] = [func.plainto_tsquery(literal_column("'simple'"), token) for token in finished]
    return reduce(lambda left, right: left.op("&&")(right), parts + _lying(lexemes))


def _lying(lexemes: Sequence[str]) -> list[Any]:
    return [cast(f"'{lexeme}'", TSQUERY) for lexeme in lexemes]


def matches_postgres(criteria: Criteria) -> list[Any]:
    """Conditions on `log_entry`."""
    return [search_document().op("@@")(postgres_query(criteria.text, f"#p{criteria.project_id}"))]
