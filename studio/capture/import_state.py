"""How far an import is; written beside the job after each batch, so that a killed one goes on."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from studio.capture.importers.layouts.port import Place

SHOWN_ERRORS = 1000


@dataclass
class Progress:
    """What is done. `*_size` say how far the files beside it are true: what lies behind was written by a killed try."""

    part: int = 0
    position: int = 0
    line: int = 0
    imported: int = 0
    duplicates: int = 0
    skipped: int = 0
    held_back: int = 0
    """Calls that the project's policy keeps out."""
    feedback: int = 0
    feedback_known: int = 0
    errors: int = 0
    errors_size: int = 0
    waiting: int = 0
    waiting_size: int = 0
    finished: bool = False
    shown_errors: list[dict[str, Any]] = field(default_factory=list)
    why_skipped: dict[str, int] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Progress:
        """Where the last attempt stopped."""
        path = folder / "position.json"
        return cls(**json.loads(path.read_text())) if path.exists() else cls()

    def save(self, folder: Path) -> None:
        """Keep it, whole or not at all."""
        fresh = folder / "position.new"
        with fresh.open("w") as file:
            file.write(json.dumps(asdict(self)))
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(folder / "position.json")

    @property
    def place(self) -> Place:
        """Where to read on in the present part."""
        return Place(self.position, self.line)

    @property
    def taken(self) -> int:
        """Rows that came to something."""
        return self.imported + self.duplicates + self.feedback + self.feedback_known + self.held_back + self.waiting


class Lines:
    """A file of JSON lines beside the progress, appended to batch by batch."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, told: list[dict[str, Any]], size: int) -> int:
        """Write behind `size` bytes, which are true; how many bytes are true now."""
        if not told and not size:
            return 0
        with self.path.open("ab") as file:
            os.ftruncate(file.fileno(), size)
            file.seek(size)
            file.write("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in told).encode("utf-8", "replace"))
            file.flush()
            os.fsync(file.fileno())
        return self.path.stat().st_size

    def read(self, size: int) -> list[dict[str, Any]]:
        """The lines that are true."""
        if not size:
            return []
        with self.path.open("rb") as file:
            return [json.loads(line) for line in file.read(size).splitlines()]
