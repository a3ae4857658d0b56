"""One way to train the benchmark's rows, in a process of its own: `-m tests.benchmarks.training_modes MODE FOLDER`.

Prints `warm` when its libraries are loaded (and then waits for a line, where the mode is a warm one), and at the end
one line of JSON. LLaMA-Factory is run by its own command, see llamafactory.py.
"""

from __future__ import annotations

import gc
import json
import os
import random
import resource
import sys
import time
from pathlib import Path
from typing import Any

from studio.train import recipe
from studio.train.recipes.process import prepare

ROWS, HELD_OUT = int(os.environ.get("STUDIO_BENCH_ROWS", "1600")), 64
LONGEST, ASKED_SHARE, BATCH, RATE = 512, 0.65, 16, 2e-3
SIZES = {
    "tiny": {"hidden": 96, "layers": 3, "heads": 4, "kv_heads": 2},
    "small": {"hidden": 256, "layers": 6, "heads": 8, "kv_heads": 4},
}
SIZE = os.environ.get("STUDIO_BENCH_SIZE", "tiny")
WORDS = ("parcel", "invoice", "late", "order", "refund", "please", "when", "the", "a", "my", "is", "not", "here", "who")
COMMON: dict[str, Any] = {
    "model_name_or_path": recipe.BASE,
    "dataset_name": recipe.DATA,
    "output_dir": recipe.OUTPUT,
    "num_train_epochs": 1,
    "per_device_train_batch_size": BATCH,
    "learning_rate": RATE,
    "max_length": LONGEST,
    "lr_scheduler_type": "linear",
    "logging_steps": 5,
    "save_strategy": "no",
    "report_to": "none",
    "use_cpu": True,
    "seed": 0,
}
PLAIN = {"bf16": False, "activation_checkpointing": False, "disable_tqdm": True}
"""What somebody who knows TRL turns off on a CPU."""
OURS: dict[str, Any] = {**COMMON, **PLAIN, "dtype": "float32", "dataloader_pin_memory": False, "eval_strategy": "no"}


def lay_out(folder: Path) -> None:
    """A run's folder: long-tailed chats, a model with fresh weights, and a recipe."""
    prepare()
    import torch

    from studio.train.recipes import base

    source = random.Random(0)
    rows = [_row(source) for _ in range(ROWS + HELD_OUT)]
    shape = base.Shape(context=LONGEST * 2, **SIZES[SIZE])
    texts = [message["content"] for row in rows for part in row.values() for message in part]
    tokenizer = base.learn_tokenizer(texts, shape)
    torch.manual_seed(0)
    base.new_model(tokenizer, shape).save_pretrained(folder / recipe.BASE)
    tokenizer.save_pretrained(folder / recipe.BASE)
    (folder / recipe.DATA).mkdir()
    for name, some in ((recipe.TRAIN, rows[:ROWS]), ("held-out.jsonl", rows[ROWS:])):
        (folder / recipe.DATA / name).write_text("".join(json.dumps(row) + "\n" for row in some))
    recipe.write(folder, OURS, {"samples": 0})


def _row(source: random.Random) -> dict[str, Any]:
    """Lengths are log-normal: about 110 tokens on average, up to 512; the answer repeats what was asked last."""
    words = min(360, max(8, int(source.lognormvariate(4.1, 0.8))))
    said = [source.choice(WORDS) for _ in range(words)]
    asked = int(words * ASKED_SHARE)
    user, answer = " ".join(said[:asked]), " ".join(sorted(said[asked:]))
    return {
        "prompt": [{"role": "system", "content": "Sort."}, {"role": "user", "content": user}],
        "completion": [{"role": "assistant", "content": answer}],
    }


def trl(folder: Path, **tuned: Any) -> dict[str, Any]:
    """TRL as its documentation starts it."""
    from datasets import load_dataset
    from trl import SFTConfig, SFTTrainer

    settings = {key: value for key, value in COMMON.items() if key not in ("model_name_or_path", "dataset_name")}
    args = SFTConfig(**settings | {"output_dir": str(folder / "trl"), "disable_tqdm": True} | tuned)
    rows = load_dataset("json", data_files=str(folder / recipe.DATA / recipe.TRAIN), split="train")
    trainer = SFTTrainer(model=str(folder / recipe.BASE), args=args, train_dataset=rows)
    seconds = trainer.train().metrics["train_runtime"]
    trainer.save_model(str(folder / recipe.MERGED))
    return {"tokens": trainer._total_train_tokens, "seconds": seconds, "loss": _last_loss(trainer.state.log_history)}


def ours(folder: Path) -> dict[str, Any]:
    """The studio's own trainer on the run's folder."""
    from studio.train.events import series, tail
    from studio.train.recipes import run

    summary = run.train(folder)
    events = tail(folder / recipe.EVENTS)[0]
    seconds = events[-1]["at"] - next(event["at"] for event in events if event["kind"] == "train_begin")
    return {"tokens": summary["tokens"], "seconds": seconds, "loss": series(events, "loss")[-1][1]}


def _last_loss(history: list[dict[str, Any]]) -> float:
    return float([entry["loss"] for entry in history if "loss" in entry][-1])


MODES = {
    "TRL, defaults": trl,
    "TRL, tuned": lambda folder: trl(folder, **PLAIN, train_sampling_strategy="group_by_length"),
    "ours": ours,
    "ours, warm": ours,
}


def main(mode: str, folder: Path) -> None:
    """Run one mode and print what it did."""
    prepare()
    if mode.endswith("warm"):
        from studio.jobs.catalog import PRELOAD
        from studio.jobs.warm.server import load

        load(list(PRELOAD))
        gc.collect()
        gc.freeze()  # as the warm process does before it forks
        print("warm", flush=True)
        sys.stdin.readline()
    before = time.process_time() if mode.endswith("warm") else 0.0
    found = MODES[mode](folder)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(found | {"memory_mb": memory, "cpu": time.process_time() - before}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
