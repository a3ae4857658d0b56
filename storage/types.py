"""Small shared column helpers: ids, clocks, JSON columns."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON
from sqlmodel import Field, SQLModel

# Named constraints, so that a later migration can name what it changes (SQLite's batch mode needs it).
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
PAIRS = tuple(first + second for first in ALPHABET for second in ALPHABET)
"""Every ten bits as text: ids are made for each call through the gateway."""


def now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A 20-character id that sorts by creation time: 48 bits of milliseconds, 52 random bits."""
    number = (int(time.time() * 1000) << 52) | (int.from_bytes(os.urandom(7), "big") >> 4)
    return "".join([PAIRS[(number >> shift) & 1023] for shift in range(90, -1, -10)])


def id_field() -> Any:
    """Primary key filled with a time-sortable id."""
    return Field(default_factory=new_id, primary_key=True, max_length=32)


def json_field(factory: Any = dict, nullable: bool = False) -> Any:
    """JSON column with a fresh default per row."""
    return Field(default_factory=factory, sa_type=JSON, nullable=nullable)


def ref(target: str, nullable: bool = False, index: bool = True, ondelete: Any = None) -> Any:
    """Foreign key to `table.column`, indexed."""
    if nullable:
        return Field(default=None, foreign_key=target, index=index, nullable=True, ondelete=ondelete)
    return Field(foreign_key=target, index=index, ondelete=ondelete)
