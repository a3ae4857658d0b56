"""Retention: calls older than their project keeps them are deleted, a batch at a time; examples in datasets stay."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

from storage.database import Database
from storage.repositories.forgetting import ForgettingRepository
from storage.repositories.logs import LogEntryRepository
from storage.repositories.privacy import CapturePolicyRepository
from storage.types import now
from studio.settings import Settings

BATCH = 200
MOST = 50_000
"""Calls deleted in one round; the next round goes on."""


def delete_old(database: Database, settings: Settings, at: datetime | None = None) -> int:
    """Delete what is older than its project's days; how many calls."""
    with database.read() as session:
        kept = {row.project_id: row.retention_days for row in CapturePolicyRepository(session).everything()}
    done = 0
    for project_id, days in kept.items():
        if days:
            before = (at or now()) - timedelta(days=days)
            done += _delete_calls(database, project_id, before)
            _delete_uploads(settings.root / "uploads", project_id, before)
    return done


def _delete_calls(database: Database, project_id: str, before: datetime) -> int:
    """Short transactions, so that nobody who records calls waits; examples say whose call they were."""
    done = 0
    while done < MOST:
        with database.write() as session:
            LogEntryRepository(session).lock_arrival()  # before rows of examples, as all who delete calls do
            asked = ForgettingRepository(session)
            ids = asked.older_than(project_id, before, BATCH)
            asked.note_users(ids)
            done += LogEntryRepository(session).delete_calls(project_id, ids) if ids else 0
        if len(ids) < BATCH:
            return done
    return done


def _delete_uploads(folder: Path, project_id: str, before: datetime) -> None:
    """Files that were uploaded for an import and lie here longer than calls may."""
    for about in folder.glob("*/about.json") if folder.is_dir() else ():
        if about.stat().st_mtime < before.timestamp() and f'"{project_id}"' in about.read_text():
            shutil.rmtree(about.parent, ignore_errors=True)
