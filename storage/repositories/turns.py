"""Queries over turns of the loop, and over what production said about each served model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import case, func
from sqlmodel import col, select

from storage.repositories.base import Repository
from storage.tables import Deployment, Feedback, LogEntry, Model, Revision, Turn

TEACHING = ("thumbs", "correction")
"""Kinds of feedback that change what an example teaches."""
STEP = 500


@dataclass(frozen=True)
class ServedRow:
    """What one served model did in production."""

    alias: str
    served_model: str
    revision_id: str | None
    deployment_id: str | None
    calls: int
    up: int
    down: int
    corrections: int
    errors: int
    cost_usd: float
    latency_ms: float
    """Sum over calls that ended well."""


class TurnRepository(Repository[Turn]):
    """Turns, newest last."""

    table: ClassVar[type[Turn]] = Turn

    def of_project(self, project_id: str) -> list[Turn]:
        """The project's turns, newest first."""
        query = select(Turn).where(Turn.project_id == project_id)
        return list(self.session.exec(query.order_by(col(Turn.number).desc())))

    def latest(self, project_id: str) -> Turn | None:
        """The newest turn."""
        return next(iter(self.of_project(project_id)), None)


class ProductionRepository(Repository[LogEntry]):
    """Calls grouped by who answered, and calls with feedback."""

    table: ClassVar[type[LogEntry]] = LogEntry

    def by_served_model(self, project_id: str, since: datetime | None) -> list[ServedRow]:
        """Calls, feedback, cost and latency per alias and served model."""
        keys = (LogEntry.model, LogEntry.served_model, LogEntry.revision_id, LogEntry.deployment_id)
        well = col(LogEntry.status) == "ok"
        query: Any = select(
            *keys,
            func.count(),
            _times(col(LogEntry.rating) == "up"),
            _times(col(LogEntry.rating) == "down"),
            _times(col(LogEntry.correction).is_not(None)),
            _times(~well),
            func.sum(LogEntry.cost_usd),
            func.sum(case((well, col(LogEntry.latency_ms)), else_=0.0)),
        )  # type: ignore[call-overload]
        query = query.where(LogEntry.project_id == project_id).group_by(*keys)
        if since:
            query = query.where(col(LogEntry.created_at) >= since)
        return [ServedRow(*row) for row in self.session.exec(query)]

    def names(self) -> dict[str, tuple[str, int, str]]:
        """Revision id → model name, revision number, alias."""
        query = select(Revision.id, Model.name, Revision.number, Deployment.alias)
        query = query.join(Model, col(Model.id) == col(Revision.model_id))
        query = query.join(Deployment, col(Deployment.id) == col(Revision.deployment_id))
        return {key: (name, number, alias) for key, name, number, alias in self.session.exec(query)}

    def with_feedback(self, project_id: str, since: datetime | None) -> Iterator[list[LogEntry]]:
        """Calls with teaching feedback since a moment, a batch at a time."""
        taught = select(Feedback.log_entry_id).where(*_teaching(project_id, since))
        last = 0
        query = select(LogEntry).where(col(LogEntry.id).in_(taught)).order_by(col(LogEntry.id)).limit(STEP)
        while batch := list(self.session.exec(query.where(col(LogEntry.id) > last))):
            last = batch[-1].id or 0
            yield batch

    def judged(self, project_id: str, since: datetime | None) -> tuple[int, int, int, int]:
        """Calls with teaching feedback since a moment: all, rated up, rated down, corrected."""
        corrected = col(LogEntry.correction).is_not(None)
        query: Any = select(
            func.count(),
            _times(col(LogEntry.rating) == "up"),
            _times(col(LogEntry.rating) == "down"),
            _times(corrected),
        )
        taught = select(Feedback.log_entry_id).where(*_teaching(project_id, since))
        calls, up, down, corrections = self.session.exec(query.where(col(LogEntry.id).in_(taught))).one()
        return calls, up or 0, down or 0, corrections or 0

    def stream(self, project_id: str, limit: int) -> list[tuple[Feedback, LogEntry]]:
        """The newest feedback with its call."""
        query = select(Feedback, LogEntry).join(LogEntry, col(LogEntry.id) == col(Feedback.log_entry_id))
        query = query.where(Feedback.project_id == project_id).order_by(col(Feedback.created_at).desc())
        return list(self.session.exec(query.limit(limit)))


def _times(condition: Any) -> Any:
    return func.sum(case((condition, 1), else_=0))


def _teaching(project_id: str, since: datetime | None) -> list[Any]:
    found: list[Any] = [Feedback.project_id == project_id, col(Feedback.kind).in_(TEACHING)]
    return [*found, col(Feedback.created_at) > since] if since else found
