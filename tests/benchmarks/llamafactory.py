"""LLaMA-Factory 0.9.5 in an environment of its own, beside ours: the same rows, the same model, its own command.

It shares our torch (so that both use one build), and gets empty modules for sound and video, which text never calls.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import yaml

from studio.train import recipe
from tests.benchmarks.training_modes import BATCH, LONGEST, RATE

VERSION = "0.9.5"
CACHE = Path(os.environ.get("STUDIO_BENCH_CACHE", Path(tempfile.gettempdir()) / "whetstone-bench"))
PINNED = Path(__file__).with_name("llamafactory.txt")
SHARED = ("torch", "torchgen", "functorch", "sympy", "mpmath", "networkx", "jinja2", "markupsafe")
EMPTY = ("torchaudio", "av")
TUNED = {"disable_gradient_checkpointing": True, "train_sampling_strategy": "group_by_length"}
"""What somebody who knows it turns on and off for a small model on a CPU."""


def environment() -> Path:
    """The environment's Python, made on first use. Raises OSError or CalledProcessError where it cannot be."""
    folder = CACHE / f"llamafactory-{VERSION}"
    python = folder / "bin" / "python"
    if (folder / "whole").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if uv is None:
        raise FileNotFoundError("uv is not installed")
    subprocess.run([uv, "venv", "-q", str(folder), "--python", sys.executable], check=True)
    subprocess.run([uv, "pip", "install", "-q", "--python", str(python), "--no-deps", "-r", str(PINNED)], check=True)
    _share(next((folder / "lib").glob("python*")) / "site-packages")
    subprocess.run([str(python), "-c", "import llamafactory.train.tuner"], check=True)
    (folder / "whole").touch()
    return python


def _share(packages: Path) -> None:
    """Link our torch and what it imports; put empty modules where sound and video would be."""
    ours = Path(torch.__file__).parent.parent
    for name in SHARED:
        for found in (*ours.glob(name), *ours.glob(f"{name}-*.dist-info")):
            (packages / found.name).symlink_to(found)
    for name in EMPTY:
        (packages / name).mkdir()
        (packages / name / "__init__.py").write_text(f'"""Stands in for {name}."""\n')


def command(python: Path, folder: Path, tuned: bool) -> list[str]:
    """Write its data and its YAML into the folder, and return the command that trains."""
    rows = [json.loads(line) for line in (folder / recipe.DATA / recipe.TRAIN).read_text().splitlines()]
    (folder / "rows.json").write_text(json.dumps([{"messages": [*row["prompt"], *row["completion"]]} for row in rows]))
    (folder / "dataset_info.json").write_text(json.dumps({"rows": _description()}))
    (folder / "llamafactory.yaml").write_text(yaml.safe_dump(_settings(folder) | (TUNED if tuned else {})))
    return [str(python), "-c", "from llamafactory.cli import main; main()", "train", str(folder / "llamafactory.yaml")]


def _description() -> dict[str, Any]:
    tags = {"role_tag": "role", "content_tag": "content"}
    roles = {f"{role}_tag": role for role in ("user", "assistant", "system")}
    return {
        "file_name": "rows.json",
        "formatting": "sharegpt",
        "columns": {"messages": "messages"},
        "tags": tags | roles,
    }


def _settings(folder: Path) -> dict[str, Any]:
    """Its own defaults but for what has to be the same in every mode."""
    return {
        "model_name_or_path": str(folder / recipe.BASE),
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "full",
        "dataset": "rows",
        "dataset_dir": str(folder),
        "template": "chatml",
        "cutoff_len": LONGEST,
        "output_dir": str(folder / recipe.MERGED),
        "per_device_train_batch_size": BATCH,
        "learning_rate": RATE,
        "num_train_epochs": 1,
        "lr_scheduler_type": "linear",
        "logging_steps": 5,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "seed": 0,
        "include_num_input_tokens_seen": "non_padding",
    }


def told(folder: Path) -> dict[str, Any]:
    """What it wrote about its run."""
    state = json.loads((folder / recipe.MERGED / "trainer_state.json").read_text())
    results = json.loads((folder / recipe.MERGED / "train_results.json").read_text())
    losses = [entry["loss"] for entry in state["log_history"] if "loss" in entry]
    return {"tokens": state["num_input_tokens_seen"], "seconds": results["train_runtime"], "loss": losses[-1]}
