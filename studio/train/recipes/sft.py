"""Supervised fine-tuning with TRL on a run's folder: recipe.yaml, data, base → adapter (or model), events, checkpoints.

Interrupted at any moment it goes on from the newest complete checkpoint, with the very same losses.
"""

from __future__ import annotations

import json
import resource
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, EarlyStoppingCallback
from trl import DatasetMixtureConfig, ModelConfig, ScriptArguments, SFTConfig, SFTTrainer, TrlParser, get_peft_config

from studio.train import recipe as recipes
from studio.train.events import EventLog, tail, tokens_until
from studio.train.recipes.callbacks import Reporter, Samples
from studio.train.recipes.process import cores


@dataclass(frozen=True)
class Setup:
    """A recipe as TRL reads it, with its paths made absolute."""

    training: SFTConfig
    model: ModelConfig
    folder: Path
    studio: dict[str, Any]

    @property
    def base(self) -> Path:
        """Folder of the model to start from."""
        return self.folder / str(self.model.model_name_or_path)


def train(
    folder: Path,
    *,
    stop_asked: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float, str], None] = lambda _done, _text: None,
) -> dict[str, Any]:
    """Train as the folder's recipe says, resuming what an earlier attempt left, and return the summary.

    When `stop_asked` turns true, a checkpoint is saved and the summary says `"stopped": True`.
    """
    setup, events = load(folder), EventLog(folder / recipes.EVENTS)
    torch.set_num_threads(cores())
    trainer = _trainer(setup, Reporter(events, stop_asked, on_progress))
    checkpoint = newest_complete(Path(setup.training.output_dir))
    started = time.monotonic()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    stopped = stop_asked() and trainer.state.global_step < trainer.state.max_steps
    summary = _summary(trainer, events, time.monotonic() - started) | {"stopped": stopped}
    if not stopped:
        _save(trainer, folder / (recipes.ADAPTER if setup.model.use_peft else recipes.MERGED))
    events.emit("stopped" if stopped else "done", step=trainer.state.global_step, summary=summary)
    events.close()
    return summary


def load(folder: Path) -> Setup:
    """Parse the folder's recipe exactly as `trl sft --config` would."""
    parser = TrlParser((ScriptArguments, SFTConfig, ModelConfig, DatasetMixtureConfig))
    _script, training, model, _mixture = parser.parse_args_and_config(["--config", str(folder / recipes.RECIPE)])
    training.output_dir = str(folder / training.output_dir)
    return Setup(training, model, folder, recipes.read_studio(folder))


def newest_complete(output: Path) -> Path | None:
    """The newest checkpoint that was saved to its end; half-written ones are deleted.

    The trainer writes `trainer_state.json` last, so its presence marks a whole checkpoint.
    """
    found = sorted(output.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    for path in found:
        if not _is_whole(path):
            shutil.rmtree(path)
    return next((path for path in found if path.exists()), None)


def _is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / "trainer_state.json").read_bytes())
    except (OSError, ValueError):
        return False
    return True


def _trainer(setup: Setup, reporter: Reporter) -> SFTTrainer:
    tokenizer = AutoTokenizer.from_pretrained(setup.base)
    model = AutoModelForCausalLM.from_pretrained(setup.base, dtype=getattr(torch, setup.model.dtype or "float32"))
    train_rows, eval_rows = (_rows(setup.folder / recipes.DATA / name) for name in (recipes.TRAIN, recipes.EVAL))
    callbacks = [reporter, Samples(reporter.events, eval_rows[: setup.studio["samples"]])]
    if setup.training.load_best_model_at_end:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=setup.studio["patience"]))
    trainer = ExactMatchTrainer(
        model=model,
        args=setup.training,
        train_dataset=Dataset.from_list(train_rows),
        eval_dataset=Dataset.from_list(eval_rows) if eval_rows else None,
        processing_class=tokenizer,
        peft_config=get_peft_config(setup.model),
        callbacks=callbacks,
    )
    return trainer


class ExactMatchTrainer(SFTTrainer):  # type: ignore[misc]
    """SFT that also measures, at every evaluation, the share of rows a greedy answer would get wholly right.

    A greedy answer equals the expected one exactly when every expected token is the most likely next token, so the
    evaluation's own forward pass tells it, without generating.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._right: list[float] = []
        self.accelerator.unwrap_model(self.model).register_forward_hook(self._notice)

    def _notice(self, _module: Any, _inputs: Any, outputs: Any) -> None:
        if self.model.training or getattr(outputs, "is_top1", None) is None:
            return
        right = (outputs.is_top1.bool() | ~outputs.label_mask.bool()).all(dim=1)
        self._right += self.accelerator.gather_for_metrics(right.float()).tolist()

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluate, and forget the rows of the evaluation before."""
        self._right = []
        measured: dict[str, float] = super().evaluate(*args, **kwargs)
        return measured

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Add the greedy share to an evaluation's numbers."""
        if "eval_loss" in logs and self._right:
            logs["eval_greedy_exact"] = sum(self._right) / len(self._right)
        super().log(logs, *args, **kwargs)


def _save(trainer: SFTTrainer, folder: Path) -> None:
    """Save the weights without the trainer's pickled arguments: no artifact of ours holds a pickle."""
    trainer.save_model(str(folder))
    (folder / "training_args.bin").unlink(missing_ok=True)


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _summary(trainer: SFTTrainer, events: EventLog, wall_s: float) -> dict[str, Any]:
    seen, _offset = tail(events.path)
    history = trainer.state.log_history
    losses = [entry["loss"] for entry in history if "loss" in entry]
    return {
        "steps": trainer.state.global_step,
        "loss": losses[-1] if losses else None,
        "best_eval_loss": min((entry["eval_loss"] for entry in history if "eval_loss" in entry), default=None),
        "greedy_exact": next((e["eval_greedy_exact"] for e in reversed(history) if "eval_greedy_exact" in e), None),
        "tokens": tokens_until(seen, trainer.state.global_step),
        "tokens_per_second": round(trainer._total_train_tokens / max(wall_s, 1e-6)),
        "wall_s": round(wall_s, 1),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "device": str(trainer.args.device.type),
    }
