"""A recipe: the flat YAML that `trl sft --config recipe.yaml` accepts, so a run's folder can be taken away and run.

What only the studio reads (early stopping, how many samples to show) is in `studio.json` beside it: TRL refuses keys
that it does not know.
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
TRAIN, EVAL, EVENTS = "train.jsonl", "eval.jsonl", "events.jsonl"

STUDIO_DEFAULTS: dict[str, Any] = {"method": "sft", "trainer": "sft", "patience": 4, "samples": 5}


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


def digest(recipe: dict[str, Any]) -> str:
    """SHA-256 of the recipe; equal recipes have equal digests whatever the order of their keys."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
