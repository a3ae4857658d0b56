"""A recipe: the flat YAML that `trl <method> --config` accepts, so that a run's folder can be taken away and run.

What only the studio reads (method, early stopping, rewards, how many samples to show) is in `studio.json` beside it:
TRL refuses keys that it does not know.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

from storage.artifacts import write_atomically

RECIPE, STUDIO = "recipe.yaml", "studio.json"
BASE, DATA, OUTPUT, ADAPTER, MERGED = "base", "data", "checkpoints", "adapter", "merged"
TRAIN, EVAL, GOLDEN, KEEP = "train.jsonl", "eval.jsonl", "golden.jsonl", "keep.jsonl"
EVENTS = "events.jsonl"
PREPARED = "prepared"
"""Tokenised rows that a resumed or retried run finds again; it never travels."""
PATHS = {"model_name_or_path": BASE, "dataset_name": DATA, "output_dir": OUTPUT}
"""Where a recipe finds things in a run's folder, whoever wrote it."""

STUDIO_DEFAULTS: dict[str, Any] = {
    "method": "sft",
    "trainer": "sft",
    "preset": "",
    "patience": 4,
    "samples": 5,
    "task": {"name": "exact"},
    "rewards": [],
    "max_new_tokens": None,
    "fast": {},
    "every_turn": False,
    "keep_version_id": "",
    "teacher_model_id": "",
}
"""Every key of studio.json. `task` is a scorer or "exact"; `rewards` scorers with a weight, for GRPO; `fast` what the
trainer may choose by itself to be quicker, true or false by name."""


def write(folder: Path, recipe: dict[str, Any], studio: dict[str, Any] | None = None) -> None:
    """Write recipe.yaml and studio.json into the run's folder."""
    write_atomically(folder / RECIPE, as_yaml(recipe).encode())
    write_atomically(folder / STUDIO, json.dumps(STUDIO_DEFAULTS | (studio or {}), indent=1).encode())


def as_yaml(recipe: dict[str, Any]) -> str:
    """The recipe as TRL reads it, in the order it was made."""
    return yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True)


def read_studio(folder: Path) -> dict[str, Any]:
    """The studio's own keys of a run's folder."""
    found: dict[str, Any] = json.loads((folder / STUDIO).read_text())
    return STUDIO_DEFAULTS | found


def digest(recipe: dict[str, Any], studio: dict[str, Any] | None = None, dataset: str = "", base: str = "") -> str:
    """SHA-256 of all that decides a run's outcome: recipe (with its seed), the studio's keys, data and base.

    Equal runs have equal digests whatever the order of their keys.
    """
    facts = {"recipe": recipe, "studio": STUDIO_DEFAULTS | (studio or {}), "dataset": dataset, "base": base}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
