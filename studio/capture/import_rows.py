"""Imported calls as rows of the log: cleaned, known ones left out, feedback put on them in the same transaction."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from storage.database import Database
from storage.repositories.logs import LogEntryRepository
from storage.repositories.privacy import PseudonymRepository
from studio.capture.entries import entry_values
from studio.capture.import_feedback import Applied, apply_feedback
from studio.capture.importers.port import Imported, ImportedCall, ImportedFeedback
from studio.capture.intake import insert_entries
from studio.capture.privacy.cleaner import Cleaner
from studio.capture.record import Record


@dataclass
class Batch:
    """What is read before the next write."""

    items: list[Imported]
    rows: int = 0
    size: int = 0

    def add(self, item: Imported) -> None:
        """One more item."""
        if not self.items or item.end != self.items[-1].end:
            self.rows += 1
        if isinstance(item, ImportedCall):
            self.size += len(item.record.request) + len(item.record.reply)
        self.items.append(item)


@dataclass
class Inserted:
    """What became of a batch."""

    new: int = 0
    held_back: int = 0
    feedback: Applied = field(default_factory=Applied)


def insert_calls(
    database: Database, cleaner: Cleaner, project_id: str, calls: list[ImportedCall], given: list[ImportedFeedback]
) -> Inserted:
    """Insert the calls that are not in the log yet, then the feedback on them."""
    records = [record for call in calls if (record := cleaner.record(record_of(call, project_id)))]
    rows = [entry_values(record) for record in records]
    unique = list({row["external_id"]: row for row in reversed(rows)}.values())[::-1]
    with database.write() as session:
        entries = LogEntryRepository(session)
        entries.lock_arrival()
        known = entries.known_external_ids(project_id, {row["external_id"] for row in unique})
        new = insert_entries(session, [row for row in unique if row["external_id"] not in known])
        sealed = {token: each for record in records for token, each in (record.meta.get("pseudonyms") or {}).items()}
        PseudonymRepository(session).keep(project_id, sealed)
        feedback = apply_feedback(session, cleaner, project_id, given) if given else Applied()
    return Inserted(len(new), len(calls) - len(rows), feedback)


def record_of(call: ImportedCall, project_id: str) -> Record:
    """The call as a record of this project; its uid follows from the project and the row."""
    uid = "i" + hashlib.sha256(f"{project_id}:{call.digest}".encode()).hexdigest()[:31]
    return Record({**call.record.meta, "uid": uid, "project_id": project_id}, call.record.request, call.record.reply)
