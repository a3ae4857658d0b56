"""What was seen of a server a moment ago: the worker looks every other second, and a company's API is not for that."""

from __future__ import annotations

import json
import time
from pathlib import Path

from storage.artifacts import write_atomically
from studio.deploy.targets.port import Look

SEEN = "seen.json"
"""In the revision's own folder."""


def recalled(folder: Path, handle: str, seconds: float) -> Look | None:
    """What was seen; None if that is too long ago or of another server."""
    try:
        said = json.loads((folder / SEEN).read_text())
        fresh = said["handle"] == handle and 0 <= time.time() - said["at"] < seconds
        return Look(bool(said["alive"]), str(said["log"]), endpoint=str(said["endpoint"])) if fresh else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(folder: Path, handle: str, look: Look) -> None:
    """Keep what was seen."""
    said = {"handle": handle, "at": time.time(), "alive": look.alive, "log": look.log_tail, "endpoint": look.endpoint}
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / SEEN, json.dumps(said).encode())


def forget(folder: Path) -> None:
    """The next look asks."""
    (folder / SEEN).unlink(missing_ok=True)
