"""What an operator asks of the journal: what lies there, whether it is whole, and to take it in once more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from storage.database import Database
from storage.repositories.log_hours import JournalPositionRepository
from storage.repositories.logs import LogEntryRepository
from studio.capture.batch import Batch, Stretch, read_batch
from studio.capture.held import Held
from studio.capture.intake import take
from studio.capture.segments import DAMAGED, KEPT, Segment, segments
from studio.errors import InvalidInput, NotFound


@dataclass(frozen=True)
class SegmentState:
    """One segment: being written, waiting or kept."""

    name: str
    state: str
    size: int
    drained: int
    age_s: float


@dataclass(frozen=True)
class JournalState:
    """Everything in the journal's folder."""

    segments: list[SegmentState]
    damaged: list[Path]
    held: int
    """Feedback whose call has not come yet."""

    @property
    def waiting(self) -> int:
        """Bytes that are not in the database."""
        return sum(each.size - each.drained for each in self.segments if each.state != "kept")


@dataclass(frozen=True)
class Checked:
    """What one segment holds."""

    path: Path
    records: int
    size: int
    damaged: list[tuple[int, int]]


@dataclass(frozen=True)
class Replayed:
    """What became of one segment that was taken in once more."""

    path: Path
    records: int
    calls: int
    """New ones; the others were in the database."""
    waiting: int
    damaged: int


def journal_state(database: Database, folder: Path) -> JournalState:
    """What lies in the journal, oldest first."""
    with database.read() as session:
        positions = JournalPositionRepository(session).all()
    waiting = [_state(each, "waiting" if each.is_finished() else "written", positions) for each in segments(folder)]
    kept = [_state(each, "kept", {each.name: each.size()}) for each in segments(folder / KEPT)]
    held = [path for path in _files(folder / "held") if not path.suffix]
    return JournalState(kept + waiting, _files(folder / DAMAGED), len(held))


def verify(segment: Segment) -> Checked:
    """Read every frame of a segment; what a writer is writing at this moment counts as neither whole nor damaged."""
    records, damaged = 0, []
    for piece in segment.pieces(0, segment.is_finished()):
        if piece.payload is None:
            damaged.append((piece.start, piece.end))
        else:
            records += 1
    return Checked(segment.path, records, segment.size(), damaged)


def replay(database: Database, folder: Path, segment: Segment) -> Replayed:
    """Take a segment in once more. What is in the database stays as it is; deleted calls come back.

    Users who were forgotten stay forgotten: the journal's folder says who.
    """
    records = calls = waiting = damaged = 0
    for batch in _all_of(Stretch(segment.path, 0, finished=True, journal=folder)):
        with database.write() as session:
            LogEntryRepository(session).lock_arrival()
            taken = take(session, batch.prepared)
        for record in taken.waiting:
            Held(folder / "held").put(record)
        records, calls = records + batch.records, calls + taken.calls
        waiting, damaged = waiting + len(taken.waiting), damaged + len(batch.damaged)
    return Replayed(segment.path, records, calls, waiting, damaged)


def segments_at(paths: list[Path]) -> list[Segment]:
    """Segments at these paths: files, or folders full of them. Raises NotFound and InvalidInput."""
    found: list[Segment] = []
    for path in paths:
        if not path.exists():
            raise NotFound(
                f"There is nothing at {path}. Give a segment (a file ending with .journal) or a folder of them."
            )
        inside = segments(path) if path.is_dir() else [Segment(path)]
        if path.is_file() and path.suffix != ".journal":
            raise InvalidInput(f"{path} is no journal segment: its name does not end with .journal.")
        found += inside
    return found


def _all_of(stretch: Stretch) -> Iterator[Batch]:
    while (batch := read_batch(stretch)).end > batch.start:
        yield batch
        stretch = replace(stretch, start=batch.end)


def _state(segment: Segment, state: str, positions: dict[str, int]) -> SegmentState:
    began = int(segment.name.partition("-")[0]) / 1e9
    return SegmentState(segment.name, state, segment.size(), positions.get(segment.name, 0), time.time() - began)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
