"""Likeness by meaning: vectors of prompts, made by the model that the project's policy names."""

from __future__ import annotations

import struct

from storage.database import Database
from storage.repositories.log_neighbours import LogNeighbourRepository
from storage.tables import CapturePolicy, LogEntry

COMPARED = 50_000
"""The newest calls with vectors that a call is compared with."""
AT_ONCE = 5_000


def by_vectors(database: Database, entry: LogEntry, limit: int) -> list[tuple[int, float]] | None:
    """Ids and cosine similarity of the calls most alike; None where there are no vectors to go by."""
    with database.read() as session:
        policy = session.get(CapturePolicy, entry.project_id)
        if policy is None or not policy.embedding_model:
            return None
        neighbours = LogNeighbourRepository(session)
        own = neighbours.vector(entry, policy.embedding_model)
        return None if own is None else _nearest(neighbours, entry, policy.embedding_model, own, limit)


def _nearest(
    neighbours: LogNeighbourRepository, entry: LogEntry, model: str, own: bytes, limit: int
) -> list[tuple[int, float]]:
    import numpy as np

    wanted, best, below = np.frombuffer(own, np.float32), list[tuple[float, int]](), None
    for _ in range(COMPARED // AT_ONCE):
        part = [
            each for each in neighbours.vectors(entry.project_id, model, below, AT_ONCE) if len(each[1]) == len(own)
        ]
        if not part:
            break
        below = part[-1][0]
        scores = np.frombuffer(b"".join(vector for _, vector in part), np.float32).reshape(len(part), -1) @ wanted
        best += [(float(score), number) for (number, _), score in zip(part, scores, strict=True) if number != entry.id]
        best = sorted(best, reverse=True)[:limit]
    return [(number, min(max(score, 0.0), 1.0)) for score, number in best]


def packed(vector: list[float]) -> bytes:
    """Float32, unit length."""
    length = sum(value * value for value in vector) ** 0.5 or 1.0
    return struct.pack(f"<{len(vector)}f", *(value / length for value in vector))
