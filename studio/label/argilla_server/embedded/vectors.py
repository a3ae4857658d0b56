"""Nearest neighbours by brute force: exact, and quick enough for tens of thousands of records."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from argilla_server.models import Vector
from sqlalchemy import func, select


class UnitVectors:
    """One vector setting's records as a matrix of unit rows, kept until a vector changes."""

    cache: ClassVar[dict[Any, tuple[tuple[Any, ...], UnitVectors]]] = {}

    def __init__(self, rows: list[tuple[Any, list[float]]]) -> None:
        self.ids = np.array([row[0] for row in rows], dtype=object)
        matrix = np.array([row[1] for row in rows], dtype=np.float32) if rows else np.zeros((0, 1), np.float32)
        norms = np.linalg.norm(matrix, axis=1, keepdims=True)
        self.rows = matrix / np.where(norms == 0, 1, norms)

    @classmethod
    async def load(cls, db: Any, settings_id: Any) -> UnitVectors:
        """From the cache when nothing was added, removed or changed since."""
        mine = Vector.vector_settings_id == settings_id
        version = tuple((await db.execute(select(func.count(), func.max(Vector.updated_at)).where(mine))).one())
        if settings_id in cls.cache and cls.cache[settings_id][0] == version:
            return cls.cache[settings_id][1]
        rows = (await db.execute(select(Vector.record_id, Vector.value).where(mine))).all()
        loaded = cls([(row[0], row[1]) for row in rows])
        cls.cache[settings_id] = (version, loaded)
        return loaded

    def nearest(
        self, value: list[float], count: int, *, reverse: bool, without: Any, among: set[Any] | None
    ) -> list[tuple[Any, float]]:
        """The records nearest to (or, reversed, farthest from) the value, with Elasticsearch's cosine score."""
        if not len(self.ids):
            return []
        wanted = np.asarray(value, dtype=np.float32)
        closeness = self.rows @ (wanted / (float(np.linalg.norm(wanted)) or 1.0))
        closeness = -closeness if reverse else closeness
        kept = np.flatnonzero(self._kept(without, among))
        best = kept[np.argsort(-closeness[kept], kind="stable")[:count]]
        return [(self.ids[at], (1.0 + float(closeness[at])) / 2.0) for at in best]

    def _kept(self, without: Any, among: set[Any] | None) -> Any:
        kept = self.ids != without
        if among is not None:
            kept &= np.fromiter((each in among for each in self.ids), dtype=bool, count=len(self.ids))
        return kept
