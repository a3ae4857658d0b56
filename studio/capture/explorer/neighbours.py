"""Neighbours of a call: what asked the same, what asked something like it, its trace, session and turn before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session

from storage.database import Database
from storage.repositories.log_neighbours import LogNeighbourRepository
from storage.tables import LogEntry
from studio.capture.enrich.signature import shingles
from studio.capture.enrich.signature import signature as signature_of
from studio.capture.entries import prompt_hash

CANDIDATES = 200
MOST_RELATED = 100
ALIKE = 0.2
"""Less than this is chance."""
TURNS_BACK = 4


def compared(database: Database, entry: LogEntry, candidates: Sequence[int], limit: int) -> list[tuple[int, float]]:
    """Ids and Jaccard similarity of the last user turns, most alike first."""
    own = shingles(entry.prompt_text)
    with database.read() as session:
        texts = LogNeighbourRepository(session).prompts(candidates)
    scored = [(number, _jaccard(own, shingles(text))) for number, text in texts]
    alike = [(number, score) for number, score in scored if score >= ALIKE]
    return sorted(alike, key=lambda found: (-found[1], -found[0]))[:limit]


def by_signature(cursor: Any, entry: LogEntry) -> list[int]:
    """The calls of the project whose signatures differ in the fewest bits."""
    bits = (entry.signature or signature_of(entry.prompt_text)).hex()
    if not int(bits, 16):
        return []
    apart = "bit_count(xor(high, $high)) + bit_count(xor(low, $low))"
    own = "project = (SELECT project FROM project WHERE project_id = $project)"
    sql = f"SELECT id FROM call WHERE high IS NOT NULL AND id <> $id AND {own} ORDER BY {apart}, id DESC"
    values = {"high": int(bits[:16], 16), "low": int(bits[16:], 16), "id": entry.id, "project": entry.project_id}
    return [row[0] for row in cursor.execute(f"{sql} LIMIT {CANDIDATES}", values).fetchall()]


def turn_before(session: Session, entry: LogEntry) -> LogEntry | None:
    """The call whose question and answer this call's messages begin with; else the one before it in its session."""
    for end in _ends_of_turns(entry.messages):
        digest = prompt_hash(entry.messages[:end], entry.tools)
        found = _before(entry, LogNeighbourRepository(session).asked(entry, digest)) if digest is not None else None
        if found:
            return session.get(LogEntry, found)
    before = _before(entry, LogNeighbourRepository(session).along(entry, "session_id"))
    return session.get(LogEntry, before) if before else None


def _before(entry: LogEntry, calls: list[tuple[datetime, int]]) -> int | None:
    """The last of them that was made before a call."""
    earlier = [number for at, number in calls if (at, number) < (entry.created_at, entry.id or 0)]
    return earlier[-1] if earlier else None


def around(entry: LogEntry, calls: list[tuple[datetime, int]], most: int) -> list[int]:
    """So many of them in order of time, those nearest to the call."""
    ids = [number for _, number in calls]
    here = ids.index(entry.id or 0) if entry.id in ids else len(ids)
    start = max(0, min(here - most // 2, len(ids) - most))
    return ids[start : start + most]


def _ends_of_turns(messages: list[dict[str, Any]]) -> list[int]:
    """Where earlier questions may have ended: before each answer, the last one first."""
    answers = [at for at, message in enumerate(messages) if message.get("role") == "assistant" and at]
    return list(reversed(answers))[:TURNS_BACK]


def _jaccard(left: set[str], right: set[str]) -> float:
    both = len(left | right)
    return len(left & right) / both if both else 0.0
