"""A traced call that is told twice: by its span, with times and figures, and by an event, with the messages."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from storage.repositories.logs import LogEntryRepository
from storage.tables import Feedback

Row = dict[str, Any]
SOURCE = "otlp"
FACTS = ("latency_ms", "first_token_ms", "parent_span_id", "session_id", "user_id", "external_id", "cost_usd")
TOKENS = ("prompt_tokens", "completion_tokens")
GIVEN = ("rating", "correction", "score")
"""What feedback has left on the call."""


def one_of_each(rows: list[Row]) -> list[Row]:
    """One row for each call of a batch."""
    found: dict[str, Row] = {}
    for row in rows:
        before = found.get(row["uid"])
        found[row["uid"]] = joined(before, row) if before and _is_traced(before) and _is_traced(row) else row
    return list(found.values())


def joined(one: Row, other: Row) -> Row:
    """What both say of a call; where both are whole or neither is, the one with times, else the later one."""
    if _has_messages(one) == _has_messages(other):
        return one if one["latency_ms"] and not other["latency_ms"] else other
    full, bare = (one, other) if _has_messages(one) else (other, one)
    row = {**full, **{name: full.get(name) or bare.get(name) for name in FACTS}}
    if full.get("tokens_estimated") and any(bare[name] for name in TOKENS):
        row |= {name: bare[name] for name in (*TOKENS, "tokens_estimated", "cost_usd")}
    row["tags"] = {**(full.get("tags") or {}), **(bare.get("tags") or {})}
    row["created_at"] = min(full["created_at"], bare["created_at"])
    if full["status"] == "ok" and bare["status"] == "error":
        row |= {name: bare[name] for name in ("status", "http_status", "error")}
    return row


class Completed:
    """Calls that came without their messages, or without their times, which come now: out, and in again with both."""

    def __init__(self, session: Session, rows: list[Row]) -> None:
        self.rows: list[Row] = []
        self._feedback: list[tuple[Row, list[Feedback]]] = []
        late = one_of_each([row for row in rows if _is_traced(row) and (_has_messages(row) or row.get("latency_ms"))])
        if late:
            self._take_out(session, {row["uid"]: row for row in late})

    def give_back(self, session: Session) -> None:
        """Once the rows are in: the feedback that their calls had."""
        for row, feedback in self._feedback:
            session.add_all(Feedback(**{**said.model_dump(), "log_entry_id": row["id"]}) for said in feedback)

    def _take_out(self, session: Session, late: dict[str, Row]) -> None:
        entries = LogEntryRepository(session)
        for before, feedback in entries.told_in_part(list(late), SOURCE):
            row = late[before.uid]
            if before.latency_ms if before.prompt_hash is not None else not _has_messages(row):
                continue  # it says nothing new
            row = joined(before.model_dump(), row)
            row |= {name: getattr(before, name) for name in GIVEN}
            self.rows.append(row)
            self._feedback.append((row, [Feedback(**said.model_dump()) for said in feedback]))
            entries.delete_calls(before.project_id, [before.id or 0])


def _is_traced(row: Row) -> bool:
    return bool(row.get("source") == SOURCE)


def _has_messages(row: Row) -> bool:
    return row.get("prompt_hash") is not None
