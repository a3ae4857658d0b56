"""Recorder: hands what was captured to the journal, cleaned as the project says."""

from __future__ import annotations

from typing import Any

from studio.capture.journal import Journal
from studio.capture.privacy.cleaner import Cleaner
from studio.capture.record import FEEDBACK, Record


class Recorder:
    """Writes calls and feedback; False means that the disk refused, which never stops an answer."""

    def __init__(self, journal: Journal, cleaner: Cleaner) -> None:
        self.journal = journal
        self.cleaner = cleaner

    def call(self, meta: dict[str, Any], request: bytes, reply: bytes) -> bool:
        """Record a call that has ended."""
        return self._write(Record(meta, request, reply))

    def feedback(self, uid: str, at: float, project_id: str, feedback: dict[str, Any]) -> bool:
        """Record feedback for the drain to apply."""
        meta = {"kind": FEEDBACK, "uid": uid, "at": at, "project_id": project_id, "feedback": feedback}
        return self._write(Record(meta))

    def _write(self, record: Record) -> bool:
        """What the project does not want recorded is dropped, and that is no failure."""
        cleaned = self.cleaner.record(record)
        return cleaned is None or self.journal.append(cleaned.pack())
