"""Queries over feedback."""

from __future__ import annotations

from sqlmodel import col, select

from storage.repositories.base import Repository
from storage.tables import Feedback, LogEntry


class FeedbackRepository(Repository[Feedback]):
    """What was said about calls."""

    table = Feedback

    def of_entry(self, log_entry_id: int) -> list[Feedback]:
        """Feedback on one call, oldest first."""
        query = select(Feedback).where(Feedback.log_entry_id == log_entry_id)
        return list(self.session.exec(query.order_by(col(Feedback.created_at), col(Feedback.id))))

    def said_before(self, entry: LogEntry, external_id: str) -> Feedback | None:
        """What was said about this call under this id of its sender's."""
        names = (external_id, _for_call(external_id, entry))
        query = select(Feedback).where(Feedback.project_id == entry.project_id, Feedback.log_entry_id == entry.id)
        return self.session.exec(query.where(col(Feedback.external_id).in_(names))).first()

    def free_id(self, entry: LogEntry, external_id: str) -> str:
        """The sender's id for feedback on this call; with the call's own where it is about several calls."""
        taken = self.find_one(project_id=entry.project_id, external_id=external_id)
        return _for_call(external_id, entry) if taken else external_id

    def has_newer(self, row: Feedback) -> bool:
        """Whether the same kind of thing was said about the same call later than this."""
        query = select(Feedback.id).where(
            Feedback.log_entry_id == row.log_entry_id,
            Feedback.kind == row.kind,
            Feedback.id != row.id,
            col(Feedback.created_at) > row.created_at,
        )
        return self.session.exec(query.limit(1)).first() is not None


def _for_call(external_id: str, entry: LogEntry) -> str:
    return f"{external_id}/{entry.uid}"
