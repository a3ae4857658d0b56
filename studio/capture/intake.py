"""Journal records into the database, one batch per transaction, each record exactly once."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, SQLModel

from storage.repositories.log_hours import LogHourRepository
from storage.repositories.logs import LogEntryRepository
from storage.repositories.privacy import PseudonymRepository
from storage.tables import Deployment, Project, Provider, Revision
from studio.capture.feedback import GivenFeedback, take_given
from studio.capture.joining import Completed, one_of_each
from studio.capture.prepare import Prepared, prepare
from studio.capture.record import Record
from studio.errors import InvalidInput

log = logging.getLogger(__name__)

REFERENCES: dict[str, type[SQLModel]] = {
    "deployment_id": Deployment,
    "revision_id": Revision,
    "provider_id": Provider,
}


@dataclass
class Taken:
    """What became of a batch."""

    calls: int = 0
    feedback: int = 0
    waiting: list[Record] = field(default_factory=list)
    """Feedback whose call is not here yet."""


def take_records(session: Session, records: list[Record]) -> Taken:
    """Insert calls, count them in the roll-up, then apply feedback. Safe to repeat: known records change nothing."""
    return take(session, prepare(records))


def take(session: Session, prepared: Prepared) -> Taken:
    """The same for what was read into rows elsewhere."""
    taken = Taken(calls=len(insert_entries(session, prepared.rows)))
    PseudonymRepository(session).keep_rows(_of_living_projects(LogEntryRepository(session), prepared.pseudonyms))
    for record in prepared.feedback:
        if take_feedback(session, record):
            taken.feedback += 1
        else:
            taken.waiting.append(record)
    return taken


def insert_entries(session: Session, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Insert the rows that are new, or whose call was here without its messages, and return them."""
    entries = LogEntryRepository(session)
    entries.lock_arrival()
    known = entries.known_uids({row["uid"] for row in rows})
    completed = Completed(session, [row for row in rows if row["uid"] in known])
    new = one_of_each([row for row in rows if row["uid"] not in known]) + completed.rows
    new = _of_living_projects(entries, new)
    _cut_dead_references(entries, new)
    _keep_external_ids_unique(entries, new)
    entries.insert(new)
    completed.give_back(session)
    LogHourRepository(session).add_entries(new)
    return new


def take_feedback(session: Session, record: Record) -> bool:
    """Apply one feedback record. False when its call is not here (yet)."""
    meta = record.meta
    try:
        given = GivenFeedback.read(meta.get("feedback"))
    except InvalidInput as error:
        log.warning("Feedback %s is dropped: %s", meta["uid"], error)
        return True
    return take_given(session, str(meta["project_id"]), given, str(meta["uid"]), record.at)


def _of_living_projects(entries: LogEntryRepository, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    projects = entries.known_references(Project, {row["project_id"] for row in rows})
    kept = [row for row in rows if row["project_id"] in projects]
    if len(kept) < len(rows):
        log.warning("%d records are dropped: their project is gone.", len(rows) - len(kept))
    return kept


def _cut_dead_references(entries: LogEntryRepository, rows: list[dict[str, Any]]) -> None:
    """A call outlives the deployment or provider that answered it."""
    for name, table in REFERENCES.items():
        living = entries.known_references(table, {row[name] for row in rows if row.get(name)})
        for row in rows:
            row[name] = found if (found := row.get(name)) in living else None


def _keep_external_ids_unique(entries: LogEntryRepository, rows: list[dict[str, Any]]) -> None:
    """Some upstreams give every answer the same id; only the first call keeps it."""
    for project_id in {row["project_id"] for row in rows}:
        mine = [row for row in rows if row["project_id"] == project_id and row.get("external_id")]
        seen = entries.known_external_ids(project_id, {row["external_id"] for row in mine})
        for row in mine:
            if row["external_id"] in seen:
                row["external_id"] = None
            else:
                seen.add(row["external_id"])
