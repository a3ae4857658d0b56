"""From journal records to rows: all that needs no database, so that a process of its own can do it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from storage.bulk import json_text
from studio.capture.entries import entry_values
from studio.capture.record import FEEDBACK, Record

LONG = ("messages", "tools", "params", "reply", "choices", "redactions")
"""Columns that are made JSON text here: it is half of the work of writing them."""
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What comes of a payload that is no record of ours."""


@dataclass
class Prepared:
    """Rows of calls, feedback to apply after them, and what stands behind their pseudonyms."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    feedback: list[Record] = field(default_factory=list)
    pseudonyms: list[dict[str, Any]] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Take one more record. Raises one of UNREADABLE where it says nothing that can be kept."""
        if record.kind == FEEDBACK:
            str(record.meta["uid"]), str(record.meta["project_id"]), record.at
            self.feedback.append(record)
        else:
            self.rows.append(_stored(entry_values(record)))
        if record.meta.get("pseudonyms"):
            self.pseudonyms += _pseudonyms(record.meta)


def prepare(records: list[Record]) -> Prepared:
    """All of these records."""
    prepared = Prepared()
    for record in records:
        prepared.add(record)
    return prepared


def _stored(row: dict[str, Any]) -> dict[str, Any]:
    for name in LONG:
        if name in row:
            row[name] = json_text(row[name])
    return row


def _pseudonyms(meta: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for token, behind in meta["pseudonyms"].items():
        yield {"project_id": meta["project_id"], "token": token, "kind": behind["kind"], "sealed": behind["sealed"]}
