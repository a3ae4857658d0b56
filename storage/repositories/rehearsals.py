"""Queries over rehearsals."""

from __future__ import annotations

from typing import ClassVar

from sqlmodel import col, select

from storage.repositories.base import Repository
from storage.tables import Rehearsal

RECENT = 20


class RehearsalRepository(Repository[Rehearsal]):
    """What was tried out before runs."""

    table: ClassVar[type[Rehearsal]] = Rehearsal

    def newest(self, kind: str, key: str, *, finished: bool) -> Rehearsal | None:
        """The newest with this key: among those that ended well, or among those that have not ended."""
        ended = col(Rehearsal.finished_at)
        query = select(Rehearsal).where(Rehearsal.kind == kind, Rehearsal.key == key)
        query = query.where(ended.is_not(None) if finished else ended.is_(None))
        return self.session.exec(query.order_by(col(Rehearsal.created_at).desc()).limit(1)).first()

    def finished_on(self, base_model_id: str, method: str) -> list[Rehearsal]:
        """Batches that were rehearsed from this base with this method, newest first."""
        query = select(Rehearsal).where(
            Rehearsal.base_model_id == base_model_id,
            Rehearsal.method == method,
            Rehearsal.kind == "batch",
            col(Rehearsal.finished_at).is_not(None),
        )
        return list(self.session.exec(query.order_by(col(Rehearsal.finished_at).desc()).limit(RECENT)))

    def of_version(self, version_id: str, kind: str) -> list[Rehearsal]:
        """The version's rehearsals of one kind, newest first."""
        query = select(Rehearsal).where(Rehearsal.dataset_version_id == version_id, Rehearsal.kind == kind)
        return list(self.session.exec(query.order_by(col(Rehearsal.created_at).desc()).limit(RECENT)))
