"""The journal: append-only, checksummed segments that hold every call until it is in the database.

A frame is `[4-byte mark][u32 length][u32 crc32][payload]`, written by one `os.write`, so a kill -9 loses nothing
acknowledged. The mark is drawn by chance for each segment and stands in its name: nobody who fills a payload knows it,
so that after damage the next frame is found, and no text can pass for one.
A writer keeps an exclusive lock on its segment; a segment without a lock is finished and may be deleted once drained.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import struct
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Literal
from zlib import crc32

from studio.capture.room import Room
from studio.settings import Settings

HEADER = struct.Struct("<4sII")
SEGMENT_BYTES = 64 << 20
SEGMENT_AGE_S = 600.0
SUFFIX = ".journal"
TELL_EVERY_S = 10.0
ROTATE = "rotate"
"""Touched beside the segments to ask writers to finish theirs."""
DISK, NO_ROOM = "disk", "no_room"
"""Why a record was refused: by the disk, or because the journal holds as much as it may."""

Fsync = Literal["never", "interval", "always"]

log = logging.getLogger(__name__)


class Journal:
    """Writes records; a full disk or a full journal costs records, never an answer. One thread appends."""

    def __init__(
        self,
        folder: Path,
        segment_bytes: int = SEGMENT_BYTES,
        segment_age_s: float = SEGMENT_AGE_S,
        fsync: Fsync = "interval",
        room: Room | None = None,
    ) -> None:
        self.folder = folder
        self.segment_bytes = segment_bytes
        self.segment_age_s = segment_age_s
        self.fsync = fsync
        self.room = room or Room(folder)
        self.written = 0
        self.refused: Counter[str] = Counter()
        self._file = -1
        self._mark = b""
        self._size = 0
        self._opened_at = 0.0
        self._unsynced = False
        self._ended: list[int] = []
        self._files = threading.Lock()
        self._told_at = 0.0
        self.refusing = ""
        """Why the last record was not written; empty when it was."""

    @property
    def dropped(self) -> int:
        """Records that were not written."""
        return self.refused.total()

    def append(self, payload: bytes) -> bool:
        """Write one record. False (counted and logged) when there is no room for it."""
        if no_room := self.room.refusal(len(payload)):
            self._refuse(NO_ROOM, no_room)
            return False
        try:
            self._write(payload)
        except OSError as error:
            self._refuse(DISK, str(error))
            return False
        self.written += 1
        if self.refusing:
            self.refusing = ""
            log.warning("Calls are recorded again; %d were not.", self.dropped)
        return True

    def rotate(self) -> None:
        """Finish a segment that is old enough, so that an idle gateway's last calls are not kept open for ever.

        Forgetting a user asks for it too: the segment may hold what has to go.
        """
        if self._file < 0:
            return
        age_s = time.monotonic() - self._opened_at
        if age_s >= self.segment_age_s or age_s > time.time() - _touched(self.folder / ROTATE):
            self._end_segment()

    def sync(self) -> None:
        """Ask the disk to keep what was written (policy "interval"), and see what room is left. For any thread."""
        try:
            self.room.look()
            self._sync()
        except OSError as error:
            log.error("The journal could not be synced: %s", error)

    def close(self) -> None:
        """Finish the segment; the next append starts another."""
        self._end_segment()
        self.sync()

    def _sync(self) -> None:
        with self._files:
            ended, self._ended = self._ended, []
            current = os.dup(self._file) if self._unsynced and self._file >= 0 else -1
            self._unsynced = False
        for file in (*ended, current):
            if file >= 0:
                self._keep(file)
                os.close(file)

    def _write(self, payload: bytes) -> None:
        if self._file < 0 or self._size >= self.segment_bytes:
            self._begin_segment()
        frame = HEADER.pack(self._mark, len(payload), crc32(payload)) + payload
        done = os.write(self._file, frame)
        if done != len(frame):
            self._take_back()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += done
        self.room.take(done)
        if self.fsync == "always":
            os.fdatasync(self._file)
        self._unsynced = self.fsync == "interval"

    def _take_back(self) -> None:
        """Cut a half-written frame off."""
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self._end_segment()

    def _begin_segment(self) -> None:
        self._end_segment()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        mark = os.urandom(4)
        name = f"{time.time_ns():020d}-{os.getpid()}-{mark.hex()}{SUFFIX}"
        hidden = self.folder / f".{name}"
        file = os.open(hidden, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            hidden.rename(self.folder / name)  # seen by the drain only once it is locked
        except OSError:
            os.close(file)
            raise
        with self._files:
            self._file, self._mark, self._size, self._opened_at = file, mark, 0, time.monotonic()
        if self.fsync != "never":
            self._keep_names()

    def _end_segment(self) -> None:
        """Let go of the segment; where it has to be synced first, `sync` does both, away from the callers."""
        with self._files:
            file, self._file = self._file, -1
            if file >= 0 and self._unsynced:
                self._ended.append(file)
            elif file >= 0:
                os.close(file)
            self._unsynced = False

    def _keep(self, file: int) -> None:
        try:
            os.fdatasync(file)
        except OSError as error:
            log.error("The journal could not be synced: %s", error)

    def _keep_names(self) -> None:
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _refuse(self, reason: str, error: str) -> None:
        self.refused[reason] += 1
        news, self.refusing = not self.refusing, error
        if news or time.monotonic() - self._told_at > TELL_EVERY_S:
            self._told_at = time.monotonic()
            log.error("Calls are answered but not recorded (%d so far): %s", self.dropped, error)


def _touched(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def open_journal(settings: Settings) -> Journal:
    """The journal as the settings want it."""
    room = Room(settings.journal, settings.journal_max_mb << 20, settings.journal_reserve_mb << 20)
    age_s, size = settings.journal_segment_minutes * 60, settings.journal_segment_mb << 20
    return Journal(settings.journal, size, age_s, settings.journal_fsync, room)
