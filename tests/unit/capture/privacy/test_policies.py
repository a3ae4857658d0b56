"""Policies are read beside the calls; what is not known is not written in full."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy.exc import OperationalError

from storage.database import Database
from storage.tables import CapturePolicy, Project
from studio.capture.privacy.keeping import KeptFresh
from studio.capture.privacy.policies import FreshPolicies, Policies
from studio.capture.privacy.policy import FULL, UNKNOWN
from studio.capture.record import Record
from studio.settings import Settings


class Away:
    """A database that answers only while it is told to."""

    def __init__(self, real: Database) -> None:
        self.real, self.away = real, True

    def read(self) -> AbstractContextManager[Any]:
        if self.away:
            raise OperationalError("select", {}, Exception("connection refused"))
        return self.real.read()


def test_before_the_first_reading_only_facts_are_written_and_afterwards_the_last_policy_stays(
    database: Database, project: Project, settings: Settings
) -> None:
    with database.write() as session:
        session.add(CapturePolicy(project_id=project.id, record="off"))
    away = Away(database)
    kept = KeptFresh(settings.secrets, away)  # type: ignore[arg-type]
    body = json.dumps({"messages": [{"role": "user", "content": "a word"}]}).encode()
    record = Record({"uid": "u", "at": 1.0, "project_id": project.id}, body, b"")
    asyncio.run(kept.refresh())
    written = kept.cleaner.record(record)
    assert written is not None and b"word" not in written.request
    away.away = False
    asyncio.run(kept.refresh())
    assert kept.cleaner.record(record) is None
    away.away = True
    asyncio.run(kept.refresh())
    assert kept.cleaner.record(record) is None


def test_a_project_without_a_policy_keeps_everything_once_that_is_known(database: Database, project: Project) -> None:
    policies, away = Policies(database), Away(database)
    assert policies(project.id) == UNKNOWN
    policies.load()
    assert policies(project.id) == FULL
    assert FreshPolicies(away)(project.id) == UNKNOWN  # type: ignore[arg-type]
    assert FreshPolicies(database)(project.id) == FULL
