"""A run to take away, on rows of every kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio.train.methods import METHODS
from studio.train.takeaway import Base, BundleInput

SYSTEM = {"role": "system", "content": "Triage the ticket as JSON."}
BETTER, WORSE = ({"role": "assistant", "content": text} for text in ('{"late": true}', "I cannot say."))
RECIPE: dict[str, Any] = {
    "model_name_or_path": "base",
    "dataset_name": "data",
    "output_dir": "checkpoints",
    "num_train_epochs": 2.5,
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 4,
    "per_device_eval_batch_size": 8,
    "learning_rate": 2e-4,
    "lr_scheduler_type": "linear",
    "warmup_steps": 0.1,
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "adam_beta2": 0.95,
    "max_length": 512,
    "seed": 3,
    "data_seed": 3,
    "logging_steps": 5,
    "save_strategy": "steps",
    "save_steps": 10,
    "save_total_limit": 2,
    "eval_strategy": "steps",
    "eval_steps": 10,
    "load_best_model_at_end": True,
    "metric_for_best_model": "eval_loss",
    "greater_is_better": False,
    "dtype": "bfloat16",
    "bf16": True,
    "use_cpu": False,
    "dataloader_pin_memory": True,
    "activation_checkpointing": True,
    "use_peft": True,
    "lora_r": 16,
    "lora_alpha": 32,
    "lora_dropout": 0.0,
    "lora_target_modules": ["all-linear"],
    "report_to": "none",
    "disable_tqdm": True,
}
QLORA = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "use_bnb_nested_quant": True}
VARIANTS: dict[str, dict[str, Any]] = {
    "lora": {},
    "qlora": QLORA,
    "dora": {
        "use_dora": True,
        "lora_target_modules": ["q_proj", "v_proj"],
        "train_sampling_strategy": "group_by_length",
    },
    "full": {"use_peft": False, "lr_scheduler_type": "cosine", "max_steps": 40},
}


def asked(number: int) -> list[dict[str, Any]]:
    return [SYSTEM, {"role": "user", "content": f"Ticket {number} has not come."}]


def row(method: str, number: int = 0) -> dict[str, Any]:
    """A row of the kind that the method learns from."""
    wants = METHODS[method].need.what
    if wants == "pairs":
        return {"prompt": asked(number), "chosen": [BETTER], "rejected": [WORSE]}
    if wants == "judged":
        return {"prompt": asked(number), "completion": [WORSE if number % 2 else BETTER], "label": number % 2 == 0}
    return {"prompt": asked(number), "completion": [BETTER]}


@pytest.fixture
def given(tmp_path: Path) -> Callable[..., BundleInput]:
    """A run of a method: rows (twenty by default), a base, and changes to its recipe."""

    def make(method: str = "sft", rows: list[dict[str, Any]] | None = None, **changes: Any) -> BundleInput:
        data = tmp_path / f"{method}-data"
        data.mkdir(exist_ok=True)
        lines = [json.dumps(each) + "\n" for each in (rows or [row(method, number) for number in range(20)])]
        (data / "train.jsonl").write_text("".join(lines))
        (data / "eval.jsonl").write_text("".join(lines[:2]))
        base = changes.pop("base", Base("Qwen3-0.6B", "Qwen/Qwen3-0.6B", "c1899de289a04d12100db370d81485cdf75e47ca"))
        recipe = {**RECIPE, **METHODS[method].keys, **changes}
        made = BundleInput("triage small", method, base, recipe, data, {"method": method}, "tickets, version 3")
        return replace(made, recipe={name: value for name, value in recipe.items() if value is not None})

    return make
