"""A batch of the journal: a stretch of one segment, read into rows."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field
from pathlib import Path

from studio.capture.prepare import UNREADABLE, Prepared
from studio.capture.privacy.forgotten import Forgotten
from studio.capture.record import Record
from studio.capture.segments import Segment

MOST_ROWS = 5_000
MOST_BYTES = 16 << 20
COLLECTED_AFTER = 200_000
"""Objects that are made and kept before the garbage collector looks at them: more than a batch has."""


@dataclass(frozen=True)
class Stretch:
    """What to read: a segment from an offset on; of a finished one the damage at its end too."""

    path: Path
    start: int
    finished: bool
    most_rows: int = MOST_ROWS
    most_bytes: int = MOST_BYTES
    journal: Path | None = None
    """The journal's folder, where the segment does not lie in it."""


@dataclass
class Batch:
    """What was read."""

    start: int
    end: int
    records: int = 0
    prepared: Prepared = field(default_factory=Prepared)
    damaged: list[tuple[int, int]] = field(default_factory=list)
    """Pieces that are no records: broken frames, and whole ones that say nothing we understand."""


def collect_rarely() -> None:
    """For a process that handles batches: rows have no cycles, and looking for some after every few hundred of
    them costs more than writing their tags.
    """
    gc.freeze()
    gc.set_threshold(COLLECTED_AFTER)


def read_batch(stretch: Stretch) -> Batch:
    """The next records of a segment, up to a number of them or of bytes."""
    batch, forgotten = Batch(stretch.start, stretch.start), Forgotten(stretch.journal or stretch.path.parent)
    for piece in Segment(stretch.path).pieces(stretch.start, stretch.finished):
        if piece.payload is None or not _add(batch.prepared, piece.payload, forgotten):
            batch.damaged.append((piece.start, piece.end))
        else:
            batch.records += 1
        batch.end = piece.end
        if batch.records >= stretch.most_rows or batch.end - batch.start >= stretch.most_bytes:
            break
    return batch


def _add(prepared: Prepared, payload: bytes, forgotten: Forgotten) -> bool:
    try:
        record = Record.unpack(payload)
        if not forgotten.names(record):
            prepared.add(record)
    except UNREADABLE:
        return False
    return True
