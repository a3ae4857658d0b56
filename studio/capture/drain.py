"""The recorder process: moves the journal into the database, exactly once, for as long as it runs.

Start it with `python -m studio.capture.drain`.
"""

from __future__ import annotations

import fcntl
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from storage.database import Database
from storage.repositories.log_hours import JournalPositionRepository
from studio.capture.enrich.enricher import Enricher
from studio.capture.held import Held
from studio.capture.intake import Taken, take_feedback, take_records
from studio.capture.journal import Segment, segments
from studio.capture.record import Record
from studio.settings import Settings

BATCH_ROWS = 500
BATCH_BYTES = 8 << 20
IDLE_S = 0.05
LONGEST_WAIT_S = 15.0
BUSY = 5_000
"""Records taken in one go, from which on what is done afterwards waits for a calmer moment."""

log = logging.getLogger(__name__)


class Drain:
    """Reads segments in order; the position is committed with the rows, so a crash at any point costs nothing.

    `afterwards` is called when little arrives; it does a piece of other work and says how much it did.
    """

    def __init__(self, database: Database, folder: Path, afterwards: Callable[[], int] = int) -> None:
        self.database = database
        self._afterwards = afterwards
        self.folder = folder
        self.held = Held(folder / "held")

    def once(self) -> int:
        """Drain all that is in the journal now; the number of records taken in."""
        self._retry_held()
        return sum(self._drain(segment) for segment in segments(self.folder))

    def run(self, stop: threading.Event) -> None:
        """Drain until asked to stop. While the database is away the journal is kept and tried again."""
        wait = IDLE_S
        while not stop.wait(wait):
            wait = self._try(wait)
        self._try(wait)

    def _try(self, waited: float) -> float:
        """Drain, and say how long to wait before the next time."""
        try:
            taken = self.once()
            more = self._afterwards() if taken < BUSY else 0
            return 0.0 if taken or more else IDLE_S
        except DBAPIError as error:
            wait = min(max(waited, 0.25) * 2, LONGEST_WAIT_S)
            log.warning("The database does not take the journal; trying again in %.1f s: %s", wait, error.orig)
            return wait

    def _drain(self, segment: Segment) -> int:
        finished = segment.is_finished()  # asked first: what is read after it is all there will be
        with self.database.read() as session:
            start = JournalPositionRepository(session).of(segment.name)
        taken = 0
        for records, end in _batches(segment, start):
            if not self._commit(segment, records, start, end):
                return taken
            taken, start = taken + len(records), end
        if finished:
            self._finish(segment, start)
        return taken

    def _commit(self, segment: Segment, records: list[Record], start: int, end: int) -> bool:
        with self.database.write() as session:
            if not JournalPositionRepository(session).move(segment.name, start, end):
                return False
            taken = take_records(session, records)
            self._hold(taken)
        return True

    def _hold(self, taken: Taken) -> None:
        for record in taken.waiting:
            self.held.put(record)

    def _finish(self, segment: Segment, drained: int) -> None:
        if (left := segment.size() - drained) > 0:
            kept = segment.set_aside(drained)
            log.error("%d bytes at the end of a journal segment cannot be read; they are kept in %s", left, kept)
        segment.path.unlink()
        with self.database.write() as session:
            JournalPositionRepository(session).forget(segment.name)

    def _retry_held(self) -> None:
        for record in self.held.due():
            with self.database.write() as session:
                found = take_feedback(session, record)
            self.held.settle(record, found)


def _batches(segment: Segment, start: int) -> Iterator[tuple[list[Record], int]]:
    records: list[Record] = []
    size = end = 0
    for payload, end in segment.frames(start):
        records.append(Record.unpack(payload))
        size += len(payload)
        if len(records) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield records, end
            records, size = [], 0
    if records:
        yield records, end


def main() -> None:
    """Run the recorder until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    settings, stop = Settings(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    database = Database(settings.database)
    with _only_one(settings.journal):
        Drain(database, settings.journal, Enricher(database).once).run(stop)
    database.close()


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; a second recorder on the same journal waits for the first one to end."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".drain.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    main()
