"""Checkpoints that can be trusted: each carries the size and check sum of its files; torn ones are deleted."""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

from storage.artifacts import write_atomically

STATE, MANIFEST, UNFINISHED = "trainer_state.json", "whole.json", "evaluate.json"
EDGE = 16 << 20
"""Bytes summed at either end of a file: a torn or zeroed file shows there, and big ones stay quick."""


def newest_complete(output: Path, on_harmed: Callable[[Path], None] = lambda _path: None) -> Path | None:
    """The newest checkpoint that was saved to its end and is unharmed; torn and harmed ones are deleted.

    `on_harmed` hears of those that were whole once.
    """
    found = sorted(output.glob("checkpoint-*"), key=step_of, reverse=True)
    whole = [path for path in found if is_whole(path)]
    for path in (each for each in found if each not in whole and is_first()):
        if (path / MANIFEST).exists():
            on_harmed(path)
        shutil.rmtree(path, ignore_errors=True)
    return next(iter(whole), None)


def is_first() -> bool:
    """Whether this is the first of a run's processes: the one that writes and deletes."""
    return os.environ.get("RANK", "0") == "0"


def step_of(checkpoint: Path) -> int:
    """The optimizer step that a checkpoint was saved after."""
    return int(checkpoint.name.rpartition("-")[2])


def seal(checkpoint: Path) -> None:
    """Record what every file of a checkpoint looked like when it was whole."""
    write_atomically(checkpoint / MANIFEST, json.dumps(_sums(checkpoint)).encode())


def unseal(checkpoint: Path) -> None:
    """Make a checkpoint count as torn until it is saved again."""
    for name in (MANIFEST, STATE, UNFINISHED):
        (checkpoint / name).unlink(missing_ok=True)


def is_whole(checkpoint: Path) -> bool:
    """Whether a checkpoint can be resumed from. The trainer writes its state last, so that marks an unsealed one."""
    try:
        json.loads((checkpoint / STATE).read_bytes())
        sealed = checkpoint / MANIFEST
        return not sealed.exists() or json.loads(sealed.read_bytes()) == _sums(checkpoint)
    except (OSError, ValueError):
        return False


def _sums(checkpoint: Path) -> dict[str, list[int]]:
    files = (path for path in checkpoint.rglob("*") if path.is_file() and path.name not in (MANIFEST, UNFINISHED))
    return {str(path.relative_to(checkpoint)): _sum(path) for path in files if not path.name.startswith(".whole")}


def _sum(path: Path) -> list[int]:
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = zlib.crc32(stream.read(EDGE))
        stream.seek(max(0, size - EDGE))
        return [size, head, zlib.crc32(stream.read(EDGE))]
