"""Recorder: hands what was captured to the journal, cleaned as the project says."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from studio.capture.journal import Journal
from studio.capture.privacy.cleaner import Cleaner
from studio.capture.record import FEEDBACK, Record

UNCLEAN = "cleaning"

log = logging.getLogger(__name__)


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
        try:
            cleaned = self.cleaner.record(record)
            payload = cleaned.pack() if cleaned else None
        except Exception as error:  # whatever a body makes the cleaning trip over: the caller gets their answer
            self._count_drop(error)
            return False
        return payload is None or self.journal.append(payload)

    def _count_drop(self, error: Exception) -> None:
        """Where it happened, without the error's own words: they may quote the text that was to be cleaned."""
        self.journal.refused[UNCLEAN] += 1
        where = "".join(traceback.format_tb(error.__traceback__))
        log.error("A record could not be cleaned and is not written (%s):\n%s", type(error).__name__, where)
