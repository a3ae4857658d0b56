"""ShadowLog: what shadows answered, kept in memory for a moment and written without secrets from a thread."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from storage.database import Database
from storage.repositories.traffic import ShadowPairRepository
from storage.types import new_id, now
from studio.capture.privacy.cleaner import Cleaner
from studio.capture.text import parse_json
from studio.capture.wire.answer import Answer
from studio.capture.wire.catalog import read_reply
from studio.curate.outputs import output_of

MOST_KEPT = 1_000
MOST_BYTES = 64 << 20
BATCH = 100
LONGEST_ERROR = 2_000
PAUSE_S = 0.001
"""Between two pairs: Python runs one thread at a time, and calls must not wait for what nobody is waiting for."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answered:
    """One call with both answers as they came."""

    project_id: str
    deployment_id: str
    revision_id: str
    log_uid: str
    request: bytes
    live_route: str
    live_reply: bytes
    live_is_stream: bool
    live_ms: float
    status: int
    shadow_reply: bytes
    shadow_ms: float
    error: str | None = None

    @property
    def size(self) -> int:
        """Bytes it holds."""
        return len(self.request) + len(self.live_reply) + len(self.shadow_reply)


class ShadowLog:
    """Writes pairs; while the database is away it keeps the newest thousand, 64 MB at most."""

    def __init__(self, database: Database | None, cleaner: Cleaner) -> None:
        self.dropped = 0
        self._database = database
        self._cleaner = cleaner
        self._lock = threading.Lock()
        self._waiting: deque[Answered] = deque()
        self._bytes = 0

    def add(self, answered: Answered) -> None:
        """Keep one for the next write."""
        with self._lock:
            self._waiting.append(answered)
            self._bytes += answered.size
            while len(self._waiting) > MOST_KEPT or (self._bytes > MOST_BYTES and len(self._waiting) > 1):
                self._bytes -= self._waiting.popleft().size
                self.dropped += 1

    def flush(self) -> bool:
        """Write what waits. False when the database did not take it; it is kept then."""
        while batch := self._take():
            try:
                self._write(batch)
            except IntegrityError as error:
                self.dropped += len(batch)
                log.warning("Answers of a shadow that is gone are dropped: %s", error.orig)
            except SQLAlchemyError as error:
                log.warning("Answers of shadows cannot be written; they are kept and written later: %s", error)
                with self._lock:
                    self._waiting.extendleft(reversed(batch))
                    self._bytes += sum(each.size for each in batch)
                return False
        return True

    def _take(self) -> list[Answered]:
        with self._lock:
            if self._database is None:
                self._waiting.clear()
                self._bytes = 0
            taken = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._bytes -= sum(each.size for each in taken)
            return taken

    def _write(self, batch: list[Answered]) -> None:
        assert self._database is not None
        rows = []
        for answered in batch:
            if self._cleaner.keeps_texts(answered.project_id):
                rows.append(self._row(answered))
            time.sleep(PAUSE_S)
        with self._database.write() as session:
            ShadowPairRepository(session).put(rows)

    def _row(self, answered: Answered) -> dict[str, Any]:
        def clean(body: bytes, sse: bool = False) -> bytes:  # as in the log of calls
            return self._cleaner.body(answered.project_id, body, sse)

        request = parse_json(clean(answered.request))
        live_reply = clean(answered.live_reply, answered.live_is_stream)
        shadow_reply = clean(answered.shadow_reply)
        live = read_reply("chat", live_reply, answered.live_is_stream)
        shadow = read_reply("chat", shadow_reply, False) if shadow_reply else Answer()
        error = (
            answered.error or shadow.error or (f"It answered {answered.status}." if answered.status >= 400 else None)
        )
        return {
            "id": new_id(),
            "created_at": now(),
            "deployment_id": answered.deployment_id,
            "revision_id": answered.revision_id,
            "log_uid": answered.log_uid,
            "messages": request.get("messages", []) if isinstance(request, dict) else [],
            "live_route": answered.live_route,
            "live_text": output_of(live.message),
            "live_ms": round(answered.live_ms, 3),
            "shadow_text": "" if error else output_of(shadow.message),
            "shadow_ms": round(answered.shadow_ms, 3),
            "error": self._cleaner.text(answered.project_id, error)[:LONGEST_ERROR] if error else None,
        }
