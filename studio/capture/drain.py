"""The recorder process: moves the journal into the database, exactly once, for as long as it runs.

Start it with `python -m studio.capture.drain`.
"""

from __future__ import annotations

import fcntl
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, StatementError

from storage.database import Database
from storage.repositories.log_hours import JournalPositionRepository
from storage.repositories.logs import LogEntryRepository
from storage.types import now as moment
from studio.capture.batch import Batch, Stretch, collect_rarely, read_batch
from studio.capture.enrich.enricher import Enricher
from studio.capture.held import Held
from studio.capture.intake import take, take_feedback
from studio.capture.prepare import UNREADABLE
from studio.capture.read_ahead import GONE, ReadAhead
from studio.capture.segments import KEPT, Segment, segments
from studio.settings import Settings

IDLE_S = 0.05
LONGEST_WAIT_S = 5.0
BUSY = 5_000
"""Records taken in one go, from which on what is done afterwards waits for a calmer moment."""
MUCH = 8 << 20
"""Bytes of a segment from which on a helper process reads ahead."""
TIDY_EVERY_S = 60.0
CHANGES_STAY = timedelta(days=2)
"""An explorer that was away for longer builds its index again."""
CHANGES_AT_ONCE = 10_000
PARTS = 50
"""So many a batch is cut into where the database refuses something in it, and those parts again."""
CACHE_KB, CHECKPOINT_PAGES, WORDS_BYTES = 65_536, 16_000, 16 << 20

REFUSED = (StatementError, *UNREADABLE)
"""What the database, or the way to it, says of a record that it cannot take."""

log = logging.getLogger(__name__)


class Drain:
    """Reads segments in order; the position is committed with the rows, so a crash at any point costs nothing.

    `afterwards` is called when little arrives; it does a piece of other work and says how much it did.
    Drained segments are deleted, or kept for some hours first.
    """

    def __init__(
        self, database: Database, folder: Path, afterwards: Callable[[], int] = int, keep_hours: float = 0.0
    ) -> None:
        self.database = database
        self._afterwards = afterwards
        self.folder = folder
        self.keep_hours = keep_hours
        self.held = Held(folder / "held")
        self._positions: dict[str, int] = {}
        self._reader: ReadAhead | None = None
        self._tidied_at = self._forgot_at = -TIDY_EVERY_S

    def once(self) -> int:
        """Drain all that is in the journal now; the number of records taken in."""
        try:
            return self.sweep()
        finally:
            self.rest()

    def sweep(self) -> int:
        """The same, keeping the helper for the next time while there is something to take in."""
        self._retry_held()
        taken = 0
        for segment in segments(self.folder):
            with suppress(FileNotFoundError):  # another recorder was faster
                taken += self._drain(segment)
        if not taken:
            self.rest()
        return taken

    def rest(self) -> None:
        """Nothing is left to do: end the helper, and delete kept segments that are old enough."""
        if self._reader:
            self._reader.close()
            self._reader = None
        if (now := time.monotonic()) - self._tidied_at >= TIDY_EVERY_S:
            self._tidied_at = now
            for segment in segments(self.folder / KEPT):
                if time.time() - segment.path.stat().st_mtime > self.keep_hours * 3600:
                    segment.path.unlink(missing_ok=True)

    def run(self, stop: threading.Event) -> None:
        """Drain until asked to stop. While the database is away the journal is kept and tried again."""
        wait = IDLE_S
        while not stop.wait(wait):
            wait = self._try(wait)
        self._try(wait)
        self.rest()

    def _try(self, waited: float) -> float:
        """Drain, and say how long to wait before the next time."""
        try:
            taken = self.sweep()
            more = self._afterwards() if taken < BUSY else 0
            if taken or more:
                return 0.0
            self._forget_changes()
            return IDLE_S
        except (DBAPIError, OSError) as error:
            wait = min(max(waited, 0.25) * 2, LONGEST_WAIT_S)
            reason = error.orig if isinstance(error, DBAPIError) else error
            log.warning("What is in the journal cannot be written; trying again in %.1f s: %s", wait, reason)
            return wait

    def _forget_changes(self) -> None:
        """Each call is noted as changed once, when it is enriched: notes that every follower has read go."""
        if (now := time.monotonic()) - self._forgot_at < TIDY_EVERY_S:
            return
        self._forgot_at, gone = now, CHANGES_AT_ONCE
        while gone == CHANGES_AT_ONCE:
            with self.database.write() as session:
                before = moment() - CHANGES_STAY
                gone = LogEntryRepository(session).forget_changes(before, CHANGES_AT_ONCE)

    def _drain(self, segment: Segment) -> int:
        finished = segment.is_finished()  # asked first: what is read after it is all there will be
        start, size, taken = self._position(segment), segment.size(), 0
        if start < size:
            for batch in self._batches(Stretch(segment.path, start, finished), size):
                if not self._commit(segment, batch):
                    return taken
                taken, start = taken + batch.records, batch.end
        if finished:
            self._finish(segment)
        return taken

    def _batches(self, stretch: Stretch, size: int) -> Iterator[Batch]:
        """What a segment holds, from the helper process where it is much."""
        if size - stretch.start > MUCH:
            try:
                self._reader = self._reader or ReadAhead()
                for batch in self._reader.batches(stretch):
                    yield batch
                    stretch = replace(stretch, start=batch.end)
            except GONE:
                self._forget_reader()
        while (batch := read_batch(stretch)).end > batch.start:
            yield batch
            stretch = replace(stretch, start=batch.end)

    def _forget_reader(self) -> None:
        if self._reader:
            self._reader.close()
            self._reader = None

    def _commit(self, segment: Segment, batch: Batch) -> bool:
        for start, end in batch.damaged:
            self._set_aside(segment, start, end, "cannot be read")
        try:
            moved = self._write(segment, batch)
        except REFUSED as error:
            self._raise_if_away(error)
            if batch.records == 1:
                log.error("The database refuses a record: %s", error)
                self._set_aside(segment, batch.start, batch.end, "is refused by the database")
                return self._write(segment, Batch(batch.start, batch.end))
            return self._in_parts(segment, batch)
        if not moved:
            self._positions.pop(segment.name, None)
            self._forget_reader()
        return moved

    def _raise_if_away(self, error: Exception) -> None:
        """Raise what is not the record's fault: the connection is gone. On SQLite a value was no good then."""
        if not isinstance(error, DBAPIError) or isinstance(error, DataError | IntegrityError):
            return
        if not (isinstance(error, InterfaceError) and self.database.is_sqlite):
            raise error

    def _write(self, segment: Segment, batch: Batch) -> bool:
        """Rows and position in one transaction. False when another recorder has moved the position."""
        with self.database.write() as session:
            LogEntryRepository(session).lock_arrival()
            if not JournalPositionRepository(session).move(segment.name, batch.start, batch.end):
                return False
            for record in take(session, batch.prepared).waiting:
                self.held.put(record)
        self._positions[segment.name] = batch.end
        return True

    def _in_parts(self, segment: Segment, batch: Batch) -> bool:
        """The database refused something in the batch: find what, and take the rest."""
        start, most = batch.start, max(batch.records // PARTS, 1)
        while start < batch.end:
            part = read_batch(Stretch(segment.path, start, True, most, most_bytes=batch.end - start))
            if not self._commit(segment, part):
                return False
            start = part.end
        return True

    def _set_aside(self, segment: Segment, start: int, end: int, why: str) -> None:
        kept = segment.set_aside(start, end)
        log.error("%d bytes of a journal segment: what is there %s. It is kept in %s", end - start, why, kept)

    def _position(self, segment: Segment) -> int:
        if segment.name not in self._positions:
            with self.database.read() as session:
                self._positions[segment.name] = JournalPositionRepository(session).of(segment.name)
        return self._positions[segment.name]

    def _finish(self, segment: Segment) -> None:
        if self.keep_hours > 0:
            segment.keep()
        else:
            segment.path.unlink()
        with self.database.write() as session:
            JournalPositionRepository(session).forget(segment.name)
        self._positions.pop(segment.name, None)

    def _retry_held(self) -> None:
        if not (due := self.held.due()):
            return
        with self.database.read() as session:
            arrived = list(self.held.arrived(session, due))
        for record in arrived:
            try:
                with self.database.write() as session:
                    found = take_feedback(session, record)
            except REFUSED as error:
                self._raise_if_away(error)
                self.held.refuse(record, error)
            else:
                self.held.settle(record, found)


def main() -> None:
    """Run the recorder until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    settings, stop = Settings(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    database = Database(settings.database)
    make_bulky(database)
    collect_rarely()
    with _only_one(settings.journal):
        Drain(database, settings.journal, Enricher(database).once, settings.journal_keep_hours).run(stop)
    database.close()


def make_bulky(database: Database) -> None:
    """On SQLite: room for the pages and the words of a batch, and fewer copies of the write-ahead log into the file."""
    if database.is_sqlite:

        @event.listens_for(database.engine, "connect")
        def configure(connection: Any, _record: Any) -> None:
            connection.execute(f"PRAGMA cache_size=-{CACHE_KB}")
            connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")

        database.engine.dispose()  # also those that are open already are made anew
        with database.write() as session:
            LogEntryRepository(session).make_room_for_words(WORDS_BYTES)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; a second recorder on the same journal waits for the first one to end."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".drain.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    main()
