"""Recorder: hands what was captured to the journal, without the secrets."""

from __future__ import annotations

from typing import Any

import orjson

from studio.capture.journal import Journal
from studio.capture.record import FEEDBACK, Record
from studio.capture.redact import Redactor


class Recorder:
    """Writes calls and feedback; False means that the disk refused, which never stops an answer."""

    def __init__(self, journal: Journal, redactor: Redactor) -> None:
        self.journal = journal
        self.redactor = redactor

    def call(self, meta: dict[str, Any], request: bytes, reply: bytes) -> bool:
        """Record a call that has ended."""
        clean = self.redactor.clean
        if meta.get("error"):
            meta["error"] = clean(str(meta["error"]).encode()).decode("utf-8", "replace")
        if meta.get("tags"):
            meta["tags"] = {name: clean(value.encode()).decode() for name, value in meta["tags"].items()}
        return self.journal.append(Record(meta, clean(request), clean(reply)).pack())

    def feedback(self, uid: str, at: float, project_id: str, feedback: dict[str, Any]) -> bool:
        """Record feedback for the drain to apply."""
        said = orjson.loads(self.redactor.clean(orjson.dumps(feedback)))
        meta = {"kind": FEEDBACK, "uid": uid, "at": at, "project_id": project_id, "feedback": said}
        return self.journal.append(Record(meta).pack())
