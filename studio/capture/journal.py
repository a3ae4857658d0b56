"""The journal: append-only, checksummed segments that hold every call until it is in the database.

A frame is `[u32 length][u32 crc32][payload]`, written by one `os.write`, so a kill -9 loses nothing acknowledged.
A writer keeps an exclusive lock on its segment; a segment without a lock is finished and may be deleted once drained.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

HEADER = struct.Struct("<II")
SEGMENT_BYTES = 64 << 20
SUFFIX = ".journal"
LARGEST_FRAME = 1 << 30

log = logging.getLogger(__name__)


class Journal:
    """Writes records; a full disk costs records, never an answer."""

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self.segment_bytes = segment_bytes
        self.written = 0
        self.dropped = 0
        self._file = -1
        self._size = 0
        self._unsynced = False
        self._warned_at = 0.0

    def append(self, payload: bytes) -> bool:
        """Write one record. False (counted and logged) when the disk refuses it."""
        try:
            self._write(HEADER.pack(len(payload), crc32(payload)) + payload)
        except OSError as error:
            self._count_drop(error)
            return False
        self.written += 1
        return True

    def sync(self) -> None:
        """Ask the disk to keep what was written, so that a power cut costs at most the time between two calls."""
        if self._unsynced and self._file >= 0:
            self._unsynced = False
            try:
                os.fdatasync(self._file)
            except OSError as error:
                log.error("The journal could not be synced: %s", error)

    def close(self) -> None:
        """Finish the segment; the next append starts another."""
        if self._file >= 0:
            self.sync()
            os.close(self._file)
            self._file = -1

    def _write(self, frame: bytes) -> None:
        if self._file < 0 or self._size >= self.segment_bytes:
            self._roll()
        done = os.write(self._file, frame)
        if done != len(frame):
            self._take_back()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += done
        self._unsynced = True

    def _take_back(self) -> None:
        """Cut a half-written frame off, for it would hide the frames after it."""
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self.close()

    def _roll(self) -> None:
        self.close()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{time.time_ns():020d}-{os.getpid()}{SUFFIX}"
        hidden = self.folder / f".{name}"
        self._file = os.open(hidden, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        hidden.rename(self.folder / name)  # seen by the drain only once it is locked
        self._size = 0

    def _count_drop(self, error: OSError) -> None:
        self.dropped += 1
        if time.monotonic() - self._warned_at > 10:
            self._warned_at = time.monotonic()
            log.error("Calls are answered but not recorded (%d so far): %s", self.dropped, error)


@dataclass(frozen=True)
class Segment:
    """One file of the journal, as the drain sees it."""

    path: Path

    @property
    def name(self) -> str:
        """File name; the key of its drained position."""
        return self.path.name

    def is_finished(self) -> bool:
        """Whether no writer holds it any more."""
        with self.path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def frames(self, offset: int) -> Iterator[tuple[bytes, int]]:
        """Whole, undamaged payloads from `offset` on, each with the offset behind it."""
        with self.path.open("rb") as file:
            file.seek(offset)
            while (payload := _read_frame(file)) is not None:
                offset += HEADER.size + len(payload)
                yield payload, offset

    def size(self) -> int:
        """Bytes in the file."""
        return self.path.stat().st_size

    def set_aside(self, offset: int) -> Path:
        """Keep the unreadable bytes from `offset` on in `damaged/`, for a person to look at."""
        folder = self.path.parent / "damaged"
        folder.mkdir(exist_ok=True, mode=0o700)
        kept = folder / f"{self.name}.{offset}"
        with self.path.open("rb") as file:
            file.seek(offset)
            kept.write_bytes(file.read())
        return kept


def segments(folder: Path) -> list[Segment]:
    """All segments, oldest first."""
    return [Segment(path) for path in sorted(folder.glob(f"[0-9]*{SUFFIX}"))]


def _read_frame(file: BinaryIO) -> bytes | None:
    header = file.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    length, checksum = HEADER.unpack(header)
    if length > LARGEST_FRAME:
        return None
    payload = file.read(length)
    return payload if len(payload) == length and crc32(payload) == checksum else None
