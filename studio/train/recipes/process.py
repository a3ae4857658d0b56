"""Settings of a training process that must be in place before torch is imported."""

from __future__ import annotations

import os
import sys

ENVIRONMENT = {
    # Waiting OpenMP threads that spin made training up to 35 times slower on shared cores.
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",
    "TRL_EXPERIMENTAL_SILENCE": "1",
}


def prepare(offline: bool = True) -> None:
    """Set the environment of this process; call it before the first import of a recipe."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if offline:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        _tell_loaded_modules()
    os.environ.setdefault("OMP_NUM_THREADS", str(cores()))


def _tell_loaded_modules() -> None:
    """Modules that were loaded before the fork read the variable then; say it to them too."""
    for name in ("huggingface_hub.constants", "datasets.config"):
        module = sys.modules.get(name)
        if module is not None:
            module.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_average() -> float:
    """How many processes wanted a core in the last minute; 0 where the system does not tell."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else 0.0
