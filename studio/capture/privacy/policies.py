"""The policies in force, read again every second; what is not known yet is recorded without text."""

from __future__ import annotations

import time

from sqlalchemy.exc import SQLAlchemyError

from storage.database import Database
from storage.repositories.privacy import CapturePolicyRepository
from storage.tables import CapturePolicy
from studio.capture.privacy.policy import FULL, UNKNOWN, Policy

FRESH_S = 1.0


class Policies:
    """Answers for every project without asking the database; `load` is called beside the calls."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, Policy] | None = None

    def __call__(self, project_id: str) -> Policy:
        """The project's policy. Before the first load facts only: nothing is written that a policy might forbid."""
        return UNKNOWN if self._known is None else self._known.get(project_id, FULL)

    def load(self) -> None:
        """Read all policies. Raises SQLAlchemyError, and then the last ones stay in force."""
        with self._database.read() as session:
            self._known = {row.project_id: policy_of(row) for row in CapturePolicyRepository(session).everything()}


class FreshPolicies(Policies):
    """For processes that write now and then: read at the first question, and again once they are a second old."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._loaded_at = 0.0

    def __call__(self, project_id: str) -> Policy:
        """The project's policy; the last known one while the database is away."""
        if self._known is None or time.monotonic() - self._loaded_at > FRESH_S:
            try:
                self.load()
                self._loaded_at = time.monotonic()
            except SQLAlchemyError:
                self._loaded_at = time.monotonic()
        return super().__call__(project_id)


def policy_of(row: CapturePolicy) -> Policy:
    """The row as the cleaner reads it."""
    patterns = tuple((str(each.get("name", "")), str(each.get("pattern", ""))) for each in row.patterns)
    return Policy(row.record, tuple(row.detectors), patterns, row.pseudonyms, row.retention_days)
