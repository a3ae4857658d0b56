"""Progress and heartbeat of a running attempt: written from a thread at most twice a second, fenced by the attempt."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from storage.database import Database
from storage.repositories.jobs import ACTIVE, JobRepository
from storage.types import now

WRITE_EVERY_S = 0.5
BEAT_EVERY_S = 5.0


class Reporter:
    """Keeps the job's row up to date. When the row belongs to a later attempt, this one is told to stop."""

    def __init__(self, database: Database, job_id: str, attempt: int, stop: threading.Event) -> None:
        self.database, self.job_id, self.attempt, self.stop = database, job_id, attempt, stop
        self._news: dict[str, Any] | None = None
        self._lock, self._leave = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self._written = 0.0

    def __enter__(self) -> Reporter:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._leave.set()
        self._thread.join()

    def report(self, progress: float, text: str) -> None:
        """Remember the newest progress; costs the handler nothing."""
        with self._lock:
            self._news = {"progress": progress, "progress_text": text}

    def _run(self) -> None:
        while not self._leave.wait(WRITE_EVERY_S):
            self._write_if_due()
        self._write_if_due()

    def _write_if_due(self) -> None:
        with self._lock:
            news, self._news = self._news, None
        if news is None and time.monotonic() - self._written < BEAT_EVERY_S:
            return
        try:
            self._write(news or {})
        except SQLAlchemyError as error:  # progress is a courtesy; the work goes on
            print(f"progress not written: {error}", file=sys.stderr)

    def _write(self, news: dict[str, Any]) -> None:
        with self.database.write() as session:
            ours = JobRepository(session).fenced(self.job_id, self.attempt, ACTIVE, heartbeat_at=now(), **news)
        self._written = time.monotonic()
        if not ours:
            print("this attempt was superseded; stopping", file=sys.stderr)
            self.stop.set()
