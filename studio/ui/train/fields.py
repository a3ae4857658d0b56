"""Every value of a plan that a person may set: under which heading, and what it may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ONLY_ROWS = ("sft", "distil")


@dataclass(frozen=True)
class Number:
    """A number between two bounds; a whole one where the bounds are whole."""

    name: str
    label: str
    low: float
    high: float


@dataclass(frozen=True)
class Pick:
    """One of a few."""

    name: str
    label: str
    options: tuple[Any, ...]
    methods: tuple[str, ...] = ()
    """The only methods that have it; empty where the plan says so."""


Field = Number | Pick
YES_NO = (True, False)
GROUPS: dict[str, tuple[Field, ...]] = {
    "What is trained": (
        Pick("training", "What is trained", ("lora", "rslora", "dora", "qlora", "full")),
        Number("lora_r", "Adapter rank", 1, 256),
        Number("lora_alpha", "Adapter strength (alpha)", 1, 1024),
        Number("lora_dropout", "Adapter dropout", 0.0, 0.9),
    ),
    "How it learns": (
        Number("num_train_epochs", "Passes over the data", 0.1, 100.0),
        Number("learning_rate", "Learning rate", 1e-7, 1.0),
        Number("batch_size", "Rows per step", 1, 512),
        Number("micro_batch", "Rows in memory at once", 1, 512),
        Pick("checkpointing", "Make activations again", YES_NO),
        Pick("lr_scheduler_type", "Course of the rate", ("linear", "cosine", "constant", "constant_with_warmup")),
        Number("warmup_steps", "Warm-up", 0.0, 10_000.0),
        Number("weight_decay", "Weight decay", 0.0, 1.0),
        Number("max_grad_norm", "Gradient limit", 0.0, 1000.0),
    ),
    "This way of learning": (
        Number("beta", "Strength of preference", 0.0, 100.0),
        Pick("loss_type", "Loss", (["sigmoid", "sft"], ["sigmoid"], ["ipo"])),
        Number("desirable_weight", "Weight of wanted answers", 0.01, 100.0),
        Number("undesirable_weight", "Weight of unwanted answers", 0.01, 100.0),
        Number("num_generations", "Tries per prompt", 2, 64),
        Number("max_completion_length", "Longest try, in tokens", 1, 32768),
        Number("temperature", "Temperature", 0.1, 2.0),
    ),
    "The rows": (
        Number("max_length", "Longest row, in tokens", 16, 131072),
        Pick("order", "Order of rows", ("random", "group_by_length")),
        Pick("packing", "Several rows in one", YES_NO, ONLY_ROWS),
        Pick("every_turn", "Learn every answer of a conversation", YES_NO, ONLY_ROWS),
    ),
    "How it is watched": (
        Number("max_steps", "Step limit", 1, 1_000_000),
        Number("patience", "Patience", 1, 1000),
        Number("samples", "Answers shown per check", 0, 20),
        Number("seed", "Seed", 0, 2**31 - 1),
        Pick("report_to", "Mirror", ("none", "trackio", "mlflow", "wandb", "tensorboard")),
    ),
}
"""Heading → fields. A field is shown when the plan has a value of its name, or its methods name the plan's."""
EVERY = {field.name: field for fields in GROUPS.values() for field in fields}


def in_words(value: Any) -> str:
    """A value of the plan as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(in_words(each) for each in value)
    if isinstance(value, dict):
        return str(value.get("name", value)).replace("_", " ")
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)
