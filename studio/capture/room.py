"""Room: how many bytes wait in the journal, and how many more may."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

LOOK_EVERY_S = 1.0
NEARLY = 0.8
WARN_EVERY_S = 60.0

log = logging.getLogger(__name__)


class Room:
    """The cap on what waits, and the free disk that is left to the database. Zero sets no limit.

    What is written is never deleted to make room: the newest records are refused until the drain has caught up.
    """

    def __init__(self, folder: Path, most_bytes: int = 0, reserve_bytes: int = 0) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        self.reserve_bytes = reserve_bytes
        self.waiting = 0
        """Bytes in the segments of all writers, as of the last look, and what this writer added since."""
        self.oldest_at: float | None = None
        """When the oldest segment was begun."""
        self._free = 1 << 62
        self._looked_at = -LOOK_EVERY_S
        self._warned_at = -WARN_EVERY_S

    @property
    def why(self) -> str:
        """Why there is no room for anything; empty while there is some."""
        return self.refusal(1)

    def refusal(self, size: int) -> str:
        """Why a record of this size may not be written, as a sentence with the fix; empty where it may."""
        if self._looked_at < 0:
            self.look()
        if self._free < self.reserve_bytes:
            return (
                f"less than {_mb(self.reserve_bytes)} of the disk are free. Free some space;"
                " STUDIO_JOURNAL_RESERVE_MB says how much is left to the database."
            )
        if self.most_bytes and self.waiting + size > self.most_bytes:
            return (
                f"{_mb(self.waiting)} of calls wait in the journal for the database, and at most"
                f" {_mb(self.most_bytes)} may (STUDIO_JOURNAL_MAX_MB). Look whether the recorder runs and the database"
                " answers."
            )
        return ""

    @property
    def oldest_s(self) -> float:
        """Age of the oldest segment."""
        return max(time.time() - self.oldest_at, 0.0) if self.oldest_at else 0.0

    def take(self, size: int) -> None:
        """Count what was written."""
        self.waiting += size

    def look(self) -> None:
        """Read from the disk how it is; at most once a second."""
        if (now := time.monotonic()) - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        found = list(_sizes(self.folder))
        self.waiting = sum(size for _, size in found)
        self.oldest_at = min((begun for begun, _ in found), default=None)
        if self.reserve_bytes:
            self._free = _free(self.folder)
        self._warn(now)

    def _warn(self, now: float) -> None:
        if self.most_bytes and self.waiting >= NEARLY * self.most_bytes and now - self._warned_at > WARN_EVERY_S:
            self._warned_at = now
            log.warning(
                "%s of at most %s wait in the journal for the database; when it is full, calls are answered but not"
                " recorded. Look whether the recorder runs and the database answers.",
                *(_mb(self.waiting), _mb(self.most_bytes)),
            )


def _sizes(folder: Path) -> list[tuple[float, int]]:
    """When each segment was begun (its name says so), and its size."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name[:20].isdigit():
                    found.append((int(entry.name[:20]) / 1e9, _size(entry)))
    except FileNotFoundError:
        return []
    return found


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:  # drained meanwhile
        return 0


def _free(folder: Path) -> int:
    try:
        disk = os.statvfs(folder)
    except FileNotFoundError:
        return 1 << 62
    return disk.f_bavail * disk.f_frsize


def _mb(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MB"
