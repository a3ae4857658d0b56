"""Imported feedback onto its calls, many at once; what comes before its call waits until the end of the import."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session

from storage.repositories.imported import FOUND_BY, ImportedRepository
from storage.repositories.logs import LogEntryRepository
from storage.types import new_id, now
from studio.capture.feedback import GivenFeedback
from studio.capture.importers.port import ImportedFeedback, RowError
from studio.capture.privacy.cleaner import Cleaner
from studio.errors import InvalidInput

MOST_OF_A_TRACE = 100
KEPT_BESIDE = {"thumbs": "rating", "correction": "correction", "score": "score"}
NO_CALL = "No call with the {} {!r} is in the log. Import the calls first, then this file again."


@dataclass
class Applied:
    """What became of a batch of feedback."""

    added: int = 0
    known: int = 0
    waiting: list[ImportedFeedback] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)


@dataclass(frozen=True)
class _Checked:
    item: ImportedFeedback
    target: tuple[str, str]
    said: dict[str, Any]
    at: datetime


def apply_feedback(session: Session, cleaner: Cleaner, project_id: str, items: list[ImportedFeedback]) -> Applied:
    """Write feedback that is new, and keep the calls' latest rating, correction and score beside them."""
    applied = Applied()
    checked = list({item.external_id: item for item in items}.values())
    rows = ImportedRepository(session)
    known = rows.known_feedback(project_id, [item.external_id for item in checked])
    applied.known = sum(item.external_id in known for item in items) + len(items) - len(checked)
    fresh = [
        made
        for item in checked
        if item.external_id not in known and (made := _checked(cleaner, project_id, item, applied))
    ]
    calls = _calls(rows, project_id, fresh)
    written: list[dict[str, Any]] = []
    for one in fresh:
        if found := calls.get(one.target):
            written += _rows(project_id, one, found[:MOST_OF_A_TRACE])
            applied.added += 1
        else:
            applied.waiting.append(one.item)
    _write(session, rows, written)
    return applied


def unanswered(item: ImportedFeedback) -> RowError:
    """Why feedback could not be taken at the end."""
    name, value = next(iter(item.target.items()))
    return RowError(item.line, item.end, NO_CALL.format(name.replace("_", " "), value), name)


def _checked(cleaner: Cleaner, project_id: str, item: ImportedFeedback, applied: Applied) -> _Checked | None:
    cleaned = cleaner.feedback(project_id, {**item.said, **item.target})
    if cleaned is None:
        return None
    try:
        given = GivenFeedback.read({**cleaned, "uid": "call"})
    except (InvalidInput, ValidationError) as error:
        applied.errors.append(RowError(item.line, item.end, str(error), item.said.get("kind", "")))
        return None
    name = next(name for name in FOUND_BY if name in item.target)
    said = given.model_dump(include={"kind", "name", "value", "text", "given_by"})
    at = datetime.fromtimestamp(item.at, UTC) if item.at else now()
    return _Checked(item, (name, str(cleaned.get(name))), said, at)


def _calls(rows: ImportedRepository, project_id: str, fresh: list[_Checked]) -> dict[tuple[str, str], list[int]]:
    found: dict[tuple[str, str], list[int]] = {}
    for name in FOUND_BY:
        if values := {one.target[1] for one in fresh if one.target[0] == name}:
            found |= {(name, value): ids for value, ids in rows.calls(project_id, name, values).items()}
    return found


def _rows(project_id: str, one: _Checked, calls: list[int]) -> list[dict[str, Any]]:
    """One row per call that is meant; the first one carries the id."""
    common = {"project_id": project_id, "created_at": one.at, "source": "import", **one.said}
    return [
        {"id": new_id(), "log_entry_id": call, "external_id": one.item.external_id if place == 0 else None, **common}
        for place, call in enumerate(calls)
    ]


def _write(session: Session, rows: ImportedRepository, written: list[dict[str, Any]]) -> None:
    if not written:
        return
    touched = {row["log_entry_id"] for row in written if row["kind"] in KEPT_BESIDE}
    newest = rows.newest(touched, list(KEPT_BESIDE)) if touched else {}
    rows.insert_feedback(written)
    verdicts: dict[int, dict[str, Any]] = {}
    for row in sorted(written, key=lambda row: row["created_at"]):
        beside, before = KEPT_BESIDE.get(row["kind"]), newest.get((row["log_entry_id"], row["kind"]))
        if beside and (before is None or before <= row["created_at"]):
            verdicts.setdefault(row["log_entry_id"], {})[beside] = _verdict(row)
    rows.set_verdicts(verdicts)
    LogEntryRepository(session).changed({row["log_entry_id"] for row in written})


def _verdict(row: dict[str, Any]) -> Any:
    if row["kind"] == "thumbs":
        return "up" if row["value"] else "down"
    return row["text"] if row["kind"] == "correction" else row["value"]
