"""Neighbours of a call: what asked the same, what asked something like it, its trace, session and turn before."""

from __future__ import annotations

from collections.abc import Sequence
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
    kinds = "kind IN (SELECT kind FROM kind WHERE project_id = $project)"
    sql = f"SELECT id FROM call WHERE high IS NOT NULL AND id <> $id AND {kinds} ORDER BY {apart}, id DESC"
    values = {"high": int(bits[:16], 16), "low": int(bits[16:], 16), "id": entry.id, "project": entry.project_id}
    return [row[0] for row in cursor.execute(f"{sql} LIMIT {CANDIDATES}", values).fetchall()]


def turn_before(session: Session, entry: LogEntry) -> LogEntry | None:
    """The call whose question and answer this call's messages begin with; else the one before it in its session."""
    for end in _ends_of_turns(entry.messages):
        digest = prompt_hash(entry.messages[:end], entry.tools)
        found = LogNeighbourRepository(session).asked_before(entry, digest) if digest is not None else None
        if found:
            return found
    return LogNeighbourRepository(session).before_in_session(entry)


def _ends_of_turns(messages: list[dict[str, Any]]) -> list[int]:
    """Where earlier questions may have ended: before each answer, the last one first."""
    answers = [at for at, message in enumerate(messages) if message.get("role") == "assistant" and at]
    return list(reversed(answers))[:TURNS_BACK]


def _jaccard(left: set[str], right: set[str]) -> float:
    both = len(left | right)
    return len(left & right) / both if both else 0.0
