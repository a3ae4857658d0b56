"""The audit trail: who changed a role, a key, a provider; written in the transaction of the change itself."""

from __future__ import annotations

from sqlmodel import Session

from storage.database import Database
from storage.repositories.people import AuditRepository
from storage.tables import AuditEvent
from studio.access.actor import Actor


def record(session: Session, actor: Actor, what: str, noun: str = "", **detail: object) -> None:
    """Add one line to the trail, saved only if the caller's transaction is."""
    AuditRepository(session).add(AuditEvent(who=actor.username, what=what, noun=noun, detail=detail))


class AuditTrail:
    """Reads the trail."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def recent(self, limit: int = 100) -> list[AuditEvent]:
        """The latest events, newest first."""
        with self.database.read() as session:
            return AuditRepository(session).newest(limit)
