"""A rehearsal's folder: laid out like the run's, with few rows and few steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.train import recipe
from studio.train.data import TrainingData
from studio.train.rehearse.sizes import sample

MICRO_STEPS = 4
WATCHING = ("eval_steps", "save_steps", "load_best_model_at_end", "metric_for_best_model", "greater_is_better")


def lay_out(folder: Path, found: dict[str, Any], studio: dict[str, Any], lines: TrainingData) -> None:
    """Write data, recipe and studio.json; the base is put there by the caller."""
    few = replace(lines, train=sample(lines.train), held_out=[], golden=[], keep=[])
    few.write(folder / recipe.DATA)
    recipe.write(folder, rehearsed(found, studio), studio)


def rehearsed(found: dict[str, Any], studio: dict[str, Any]) -> dict[str, Any]:
    """The run's recipe for a few micro-steps: the same rows at once, without evaluations, checkpoints and mirrors."""
    kept = {name: value for name, value in found.items() if name not in WATCHING}
    steps = {"max_steps": MICRO_STEPS, "logging_steps": 1, "eval_strategy": "no", "save_strategy": "no"}
    once = {} if studio.get("trainer") == "grpo" else {"gradient_accumulation_steps": 1}
    return kept | steps | once | {"report_to": "none"}
