"""Feedback that came before its call: kept in files beside the journal and tried again until the call is there."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from studio.capture.record import Record

KEEP_S = 24 * 3600.0
RETRY_S = 1.0

log = logging.getLogger(__name__)


class Held:
    """A folder of records that wait for their call."""

    def __init__(self, folder: Path, keep_s: float = KEEP_S) -> None:
        self.folder = folder
        self.keep_s = keep_s
        self._tried_at = 0.0

    def put(self, record: Record) -> None:
        """Keep a record; it is on the disk when this returns."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / str(record.meta["uid"])
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(record.pack())
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)

    def due(self) -> Iterator[Record]:
        """All kept records, at most once a second."""
        if time.monotonic() - self._tried_at < RETRY_S or not self.folder.is_dir():
            return
        self._tried_at = time.monotonic()
        for path in sorted(self.folder.iterdir()):
            if not path.suffix:
                yield Record.unpack(path.read_bytes())

    def settle(self, record: Record, found: bool) -> None:
        """Drop a record whose call was found, or that has waited a day."""
        waited = time.time() - float(record.meta["at"])
        if not found and waited < self.keep_s:
            return
        if not found:
            log.warning("Feedback %s names a call that never came; it is dropped.", record.meta["uid"])
        (self.folder / str(record.meta["uid"])).unlink(missing_ok=True)
