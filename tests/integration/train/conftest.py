"""One very small base and one uninterrupted run, shared by every test of the session."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.train import recipe
from studio.train.recipes.process import prepare

STEPS, SAVE_EVERY = 12, 4
SMALL = {"vocabulary": 400, "hidden": 32, "layers": 2, "heads": 2, "kv_heads": 1, "steps": 30, "batch": 8, "block": 64}
COLOURS = ("red", "green", "blue", "white", "black", "brown")
LIGHT = ("white", "green", "red")


def conversation(source: random.Random) -> dict[str, Any]:
    """A prompt that names a colour and a completion that says whether it is light."""
    colour, thing = source.choice(COLOURS), source.choice(("cup", "lamp", "chair", "coat"))
    answer = '{"light": true}' if colour in LIGHT else '{"light": false}'
    prompt = [{"role": "user", "content": f"The {thing} is {colour}."}]
    return {"prompt": prompt, "completion": [{"role": "assistant", "content": answer}]}


def documents() -> list[str]:
    """Text in chat markup, so that the markup is known before LoRA."""
    source = random.Random(1)
    rows = [conversation(source) for _ in range(300)]
    return [
        f"<|im_start|>user\n{row['prompt'][0]['content']}<|im_end|>\n<|im_start|>assistant\nI see.<|im_end|>\n"
        for row in rows
    ]


def small_recipe(**changes: Any) -> dict[str, Any]:
    """A LoRA recipe of a dozen steps with a checkpoint every four."""
    return {
        "model_name_or_path": "base",
        "dataset_name": "data",
        "output_dir": "checkpoints",
        "max_steps": STEPS,
        "per_device_train_batch_size": 8,
        "learning_rate": 2e-2,
        "lr_scheduler_type": "linear",
        "max_length": 64,
        "seed": 0,
        "data_seed": 0,
        "logging_steps": 1,
        "save_strategy": "steps",
        "save_steps": SAVE_EVERY,
        "eval_strategy": "steps",
        "eval_steps": SAVE_EVERY,
        "load_best_model_at_end": True,
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
        "dtype": "float32",
        "bf16": False,
        "use_cpu": True,
        "dataloader_pin_memory": False,
        "activation_checkpointing": False,
        "use_peft": True,
        "lora_r": 8,
        "lora_alpha": 16,
        "lora_target_modules": ["all-linear"],
        "report_to": "none",
        "disable_tqdm": True,
        **changes,
    }


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model of a few thousand weights, built by the real recipe."""
    prepare()
    from studio.train.recipes import base

    folder = tmp_path_factory.mktemp("base")
    lines = folder / "documents.jsonl"
    lines.write_text("\n".join(json.dumps({"text": text}) for text in documents()))
    base.build(lines, folder / "model", shape=base.Shape(**SMALL))
    return folder / "model"


@pytest.fixture(scope="session")
def lay_out(base_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A run's folder as the job lays it out: base, data, recipe."""

    def make(name: str, **changes: Any) -> Path:
        folder = tmp_path_factory.mktemp(name)
        source = random.Random(2)
        (folder / "data").mkdir()
        for file, count in (("train.jsonl", 96), ("eval.jsonl", 16)):
            rows = [json.dumps(conversation(source)) for _ in range(count)]
            (folder / "data" / file).write_text("\n".join(rows) + "\n")
        recipe.write(folder, small_recipe(**changes), {"samples": 2})
        (folder / recipe.BASE).symlink_to(base_folder)
        return folder

    return make


@pytest.fixture(scope="session")
def whole_run(lay_out: Callable[..., Path]) -> tuple[Path, dict[str, Any]]:
    """A run that nothing interrupted, and its summary."""
    from studio.train.recipes import run

    folder = lay_out("whole")
    return folder, run.train(folder)


@pytest.fixture(scope="session")
def learned_run(lay_out: Callable[..., Path]) -> tuple[Path, dict[str, Any]]:
    """A longer run of every weight, which learns the task in part or whole."""
    from studio.train.recipes import run

    every = {"max_steps": 60, "save_steps": 60, "eval_steps": 60, "logging_steps": 5}
    folder = lay_out("learned", use_peft=False, learning_rate=1e-2, **every)
    return folder, run.train(folder)
