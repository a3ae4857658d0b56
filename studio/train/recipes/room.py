"""A run that does not fit in memory does the same steps with fewer rows in memory at once."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import torch

from storage.artifacts import write_atomically

FILE = "memory.json"
MICRO, ACCUMULATION, EVAL = (
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "per_device_eval_batch_size",
)


def changes(folder: Path) -> dict[str, int]:
    """What earlier attempts of the run found out about how much fits."""
    path = folder / FILE
    found: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
    return found


def shrink(folder: Path, training: Any, evaluating: bool) -> dict[str, int] | None:
    """Halve the rows in memory and remember it; None when it was one already. A step's rows stay the same."""
    smaller = _evaluation(training) if evaluating else _training(training)
    if smaller is None:
        return None
    write_atomically(folder / FILE, json.dumps(changes(folder) | smaller).encode())
    return smaller


def free() -> None:
    """Give back what a failed attempt held."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _training(training: Any) -> dict[str, int] | None:
    micro = training.per_device_train_batch_size
    part = next((each for each in range(2, micro + 1) if micro % each == 0), None)
    if part is None:
        return None
    accumulation = training.gradient_accumulation_steps * part
    return {MICRO: micro // part, ACCUMULATION: accumulation}


def _evaluation(training: Any) -> dict[str, int] | None:
    return {EVAL: _rows(training) // 2} if _rows(training) > 1 else None


def _rows(training: Any) -> int:
    return int(training.per_device_eval_batch_size)
