"""Queries over feedback."""

from __future__ import annotations

from sqlmodel import col, select

from storage.repositories.base import Repository
from storage.tables import Feedback


class FeedbackRepository(Repository[Feedback]):
    """What was said about calls."""

    table = Feedback

    def of_entry(self, log_entry_id: int) -> list[Feedback]:
        """Feedback on one call, oldest first."""
        query = select(Feedback).where(Feedback.log_entry_id == log_entry_id)
        return list(self.session.exec(query.order_by(col(Feedback.created_at), col(Feedback.id))))
