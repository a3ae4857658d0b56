"""Follower: keeps the columns as new as the log, a little at the start of each question, much in the background."""

from __future__ import annotations

import atexit
import hashlib
import logging
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
from sqlalchemy.exc import DBAPIError

from storage.database import Database
from storage.repositories.log_index import IDS_AT_ONCE, Fact, LogIndexRepository
from studio.capture.explorer.answers import Readiness
from studio.capture.explorer.columns import Columns
from studio.capture.explorer.gaps import Gaps
from studio.errors import Unavailable

AT_ONCE = 5_000
"""Calls and changes that a question waits for; more are left to the background."""
CHUNK = 20_000

BROKEN = (duckdb.FatalException, duckdb.IOException, duckdb.InternalException, duckdb.SerializationException)
OPENING = threading.Lock()
"""Two explorers of one process may open the same file; they make its tables one after the other."""

log = logging.getLogger(__name__)


class Follower:
    """Reads calls by id and changes by id. Asked by many threads; one at a time writes."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.path = folder / "explorer.duckdb"
        self._columns: Columns | None = None
        self._gaps = Gaps()
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def fresh(self) -> Columns | None:
        """The columns with what is committed by now; None while they are first built."""
        if self._columns and self._columns.path and not self.path.exists():
            self.reset()  # somebody was forgotten: pages of a deleted row stay in the file, so the file goes
        if not self._working():
            with self._lock:
                self._catch_up(self._opened())
        columns = self._opened()
        return columns if columns.built else None

    def readiness(self) -> Readiness:
        """How far the first build is."""
        columns = self.fresh()
        with self.database.read() as session:
            total, _ = LogIndexRepository(session).newest()
        return Readiness(True, total, total) if columns else Readiness(False, self._opened().position[0], total)

    def reset(self) -> None:
        """Throw the index away; it is built again by the next question."""
        with self._lock:
            self.close()
            _remove(self.path)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """A file that turns out to be broken is thrown away; whoever asked is told to ask again. Raises Unavailable."""
        try:
            yield
        except BROKEN as error:
            log.warning("The explorer's index is broken and is built again: %s", error)
            self.reset()
            raise Unavailable("The explorer's index was damaged and is being built again. Ask once more.") from error
        except duckdb.OutOfMemoryException as error:
            raise Unavailable("This question needs too much memory. Narrow it, as to a shorter time.") from error

    def close(self) -> None:
        """Stop what goes on and let go of the file."""
        self._stop.set()
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None
        self._stop.clear()
        if self._columns:
            self._columns.close()
        self._columns = None

    def _opened(self) -> Columns:
        with self._lock:
            if self._columns is None:
                with OPENING:
                    self._columns = self._open()
            return self._columns

    def _open(self) -> Columns:
        belongs_to = hashlib.sha256(self.database.url.encode()).hexdigest()
        try:
            columns = Columns(self.path, belongs_to)
        except duckdb.Error as error:
            if "lock" in str(error).lower():  # another process has it
                return Columns(None, belongs_to)
            log.warning("The explorer's index cannot be read and is built again: %s", error)
            _remove(self.path)
            columns = Columns(self.path, belongs_to)
        with self.database.read() as session:
            if columns.count() != LogIndexRepository(session).count(columns.position[0]):
                columns.clear()
        return columns

    def _catch_up(self, columns: Columns) -> None:
        behind = self._behind(columns)
        if behind > AT_ONCE:
            self._start(columns)
            return
        if behind or self._gaps.open():
            self.step(columns, AT_ONCE)
        if not columns.built:
            columns.finish()

    def _behind(self, columns: Columns) -> int:
        """Calls and changes that are not in the columns; those of a log that went back in time are thrown away."""
        with self.database.read() as session:
            reader = LogIndexRepository(session)
            newest, here = reader.newest(), columns.position
            lost = newest[0] < here[0] or newest[1] < here[1]
            if lost or (here[0] and newest[1] > here[1] and reader.oldest_change() > here[1] + 1):
                columns.clear()
                here = columns.position
        return newest[0] - here[0] + newest[1] - here[1]

    def step(self, columns: Columns, limit: int) -> int:
        """Take in the next calls and changes; how many there were."""
        start = columns.position
        with self.database.read() as session:
            reader = LogIndexRepository(session)
            newest, _ = reader.newest()
            changes = reader.changes(start[1], limit)  # before what they are about: the calls are as new, or newer
            fresh = reader.facts(start[0], newest, limit)
            upto = fresh[-1][0] if len(fresh) == limit else newest
            late = self._gaps.open()
            again = {number for _, number in changes if number <= start[0]} | set(late)
            facts, tags = _read_again(reader, again)
            tags += reader.tags(start[0], upto)
        self._gaps.note(start[0], upto, [fact[0] for fact in fresh], late=[fact[0] for fact in facts])
        change = changes[-1][0] if changes else start[1]
        self._write(columns, start, again, facts + fresh, tags, (upto, change))
        return len(fresh) + len(changes)

    def _write(
        self,
        columns: Columns,
        start: tuple[int, int],
        again: Collection[int],
        facts: list[Fact],
        tags: list[Fact],
        end: tuple[int, int],
    ) -> None:
        with suppress(duckdb.TransactionException), columns.writing() as writer:
            if writer.position != start:
                return  # another explorer of this process was here
            if again:
                writer.drop(list(again))
            writer.take(facts, tags)
            writer.move(call=end[0], change=end[1])

    def _working(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _start(self, columns: Columns) -> None:
        self._thread = threading.Thread(target=self._work, args=(columns,), name="explorer-index", daemon=True)
        self._thread.start()

    def _work(self, columns: Columns) -> None:
        atexit.register(self._stop.set)
        try:
            while not self._stop.is_set() and self.step(columns, CHUNK):
                pass
            if not self._stop.is_set():
                columns.finish()
        except (duckdb.Error, DBAPIError):
            log.exception("The explorer's index could not follow the log; the next question tries again")
        finally:
            atexit.unregister(self._stop.set)


def _read_again(reader: LogIndexRepository, ids: Collection[int]) -> tuple[list[Fact], list[Fact]]:
    """Facts and tags of calls that changed: as one stretch where they lie close together."""
    if not ids:
        return [], []
    low, high = min(ids), max(ids)
    if high - low < 2 * len(ids):
        wanted = set(ids)
        facts = [fact for fact in reader.facts(low - 1, high, high - low + 1) if fact[0] in wanted]
        return facts, [tag for tag in reader.tags(low - 1, high) if tag[3] in wanted]
    listed = sorted(ids)
    parts = [listed[start : start + IDS_AT_ONCE] for start in range(0, len(listed), IDS_AT_ONCE)]
    return [fact for part in parts for fact in reader.facts_of(part)], [
        tag for part in parts for tag in reader.tags_of(part)
    ]


def _remove(path: Path) -> None:
    for each in (path, path.with_name(f"{path.name}.wal")):
        each.unlink(missing_ok=True)
