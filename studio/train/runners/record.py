"""place.json in the run's folder: which attempt is where, for a killed driver to go on with it, not start a second."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from storage.artifacts import write_atomically
from studio.train import recipe as recipes

FILE = "place.json"


@dataclass
class Record:
    """The present attempt of a run elsewhere."""

    place: str
    attempt: int = 1
    handle: str = ""
    submitted: bool = False
    """The place has certainly taken it: from then on it is only asked about."""
    home: bool = False
    """Its results are in our folder."""
    ended: str = ""
    """How it ended, once it has: what comes next is another attempt."""
    began: float = 0.0
    events_at: int = 0
    """Where this attempt's events begin in ours; they are copied again from there after a crash."""

    @classmethod
    def take_up(cls, folder: Path, place: str) -> Record:
        """What an earlier driver left for the same place, or the attempt after the one that ended."""
        try:
            found = json.loads((folder / FILE).read_bytes())
        except FileNotFoundError:
            return cls(place, began=time.time(), events_at=_size(folder))
        left = cls(**{name: found[name] for name in found if name in {each.name for each in fields(cls)}})
        if not left.ended:
            return left
        return cls(place, left.attempt + 1, began=time.time(), events_at=_size(folder))

    def save(self, folder: Path) -> None:
        """Write it, whole."""
        write_atomically(folder / FILE, json.dumps(asdict(self)).encode())


def _size(folder: Path) -> int:
    path = folder / recipes.EVENTS
    return path.stat().st_size if path.exists() else 0
