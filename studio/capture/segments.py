"""Reading the journal: segments, their frames, and what of them is damaged."""

from __future__ import annotations

import fcntl
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

from studio.capture.journal import HEADER, SUFFIX

EARLIER = struct.Struct("<II")
"""Header of the frames of segments that have no mark in their name, as earlier versions wrote them."""
NAME = re.compile(r"\d+-\d+(?:-(?P<mark>[0-9a-f]{8}))?" + re.escape(SUFFIX))
LARGEST_FRAME = 1 << 30
SCANNED = 1 << 20
DAMAGED, KEPT = "damaged", "drained"
"""Folders beside the segments: pieces that cannot be read, and drained segments that are kept for some time."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a segment: a whole frame with its payload, or damage."""

    start: int
    end: int
    payload: bytes | None


@dataclass(frozen=True)
class Segment:
    """One file of the journal, as its readers see it."""

    path: Path

    @property
    def name(self) -> str:
        """File name; the key of its drained position."""
        return self.path.name

    @cached_property
    def mark(self) -> bytes:
        """What each of its frames begins with; empty in segments of earlier versions."""
        found = NAME.fullmatch(self.name)
        return bytes.fromhex(found["mark"] or "") if found else b""

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
        for piece in self.pieces(offset, finished=False):
            if piece.payload is not None:
                yield piece.payload, piece.end

    def pieces(self, offset: int, finished: bool) -> Iterator[Piece]:
        """All frames from `offset` on, and the damage between them; of a finished segment the damage at its end too."""
        with self.path.open("rb") as file:
            end = os.fstat(file.fileno()).st_size
            file.seek(offset)
            while offset < end:
                piece = self._frame(file, offset) or self._damage(file, offset, end, finished)
                if piece is None:
                    return
                yield piece
                if piece.payload is None or file.tell() != piece.end:
                    file.seek(piece.end)
                offset = piece.end

    def size(self) -> int:
        """Bytes in the file."""
        return self.path.stat().st_size

    def set_aside(self, start: int, end: int) -> Path:
        """Keep unreadable bytes in `damaged/`, for a person to look at."""
        folder = self.path.parent / DAMAGED
        folder.mkdir(exist_ok=True, mode=0o700)
        kept = folder / f"{self.name}.{start}"
        with self.path.open("rb") as file:
            file.seek(start)
            kept.write_bytes(file.read(end - start))
        return kept

    def keep(self) -> None:
        """Move it to the drained ones."""
        folder = self.path.parent / KEPT
        folder.mkdir(exist_ok=True, mode=0o700)
        self.path.rename(folder / self.name)

    def _frame(self, file: BinaryIO, offset: int) -> Piece | None:
        """The whole frame that the file stands at."""
        header = HEADER if (mark := self.mark) else EARLIER
        head = file.read(header.size)
        if len(head) < header.size or not head.startswith(mark):
            return None
        length, checksum = EARLIER.unpack(head[len(mark) :])
        payload = file.read(length) if length <= LARGEST_FRAME else b""
        if len(payload) != length or crc32(payload) != checksum:
            return None
        return Piece(offset, offset + header.size + length, payload)

    def _damage(self, file: BinaryIO, offset: int, end: int, finished: bool) -> Piece | None:
        """What lies between `offset` and the next whole frame; None where a writer may be in the middle of a frame."""
        following = self._next_frame(file, offset + 1, end)
        if following is None:
            return Piece(offset, end, None) if finished else None
        with self.path.open("rb") as fresh:  # it may have been written while it was read the first time
            fresh.seek(offset)
            return self._frame(fresh, offset) or Piece(offset, following, None)

    def _next_frame(self, file: BinaryIO, offset: int, end: int) -> int | None:
        if not (mark := self.mark):
            return None
        while offset < end:
            file.seek(offset)
            scanned = file.read(SCANNED)
            found = scanned.find(mark)
            while found >= 0:
                file.seek(offset + found)
                if self._frame(file, offset + found):
                    return offset + found
                found = scanned.find(mark, found + 1)
            offset += max(len(scanned) - len(mark) + 1, 1)
        return None


def segments(folder: Path) -> list[Segment]:
    """All segments in a folder, oldest first."""
    return [Segment(path) for path in sorted(folder.glob(f"[0-9]*{SUFFIX}"))]
