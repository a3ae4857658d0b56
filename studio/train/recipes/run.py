"""Carry a run's folder out: recipe.yaml, data, base → adapter (or model), events, checkpoints.

Interrupted at any moment it goes on from the newest complete checkpoint, with the very same losses.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import EarlyStoppingCallback

from studio.train import recipe as recipes
from studio.train.events import EventLog, tail, tokens_until
from studio.train.recipes.callbacks import Reporter, Samples
from studio.train.recipes.process import cores
from studio.train.recipes.setup import Setup, load, newest_complete
from studio.train.recipes.trainers import trainer_kind


def train(
    folder: Path,
    *,
    stop_asked: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float, str], None] = lambda _done, _text: None,
) -> dict[str, Any]:
    """Train as the folder's recipe says, resuming what an earlier attempt left, and return the summary.

    When `stop_asked` turns true, a checkpoint is saved and the summary says `"stopped": True`.
    """
    kind = trainer_kind(recipes.read_studio(folder)["trainer"])
    setup, events = load(folder, kind.config), EventLog(folder / recipes.EVENTS)
    torch.set_num_threads(cores())
    trainer = kind.build(setup, _callbacks(setup, events, Reporter(events, stop_asked, on_progress)))
    checkpoint = newest_complete(setup.output)
    started = time.monotonic()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    stopped = stop_asked() and trainer.state.global_step < trainer.state.max_steps
    summary = _summary(trainer, events, time.monotonic() - started) | {"stopped": stopped}
    if not stopped:
        _save(trainer, folder / (recipes.ADAPTER if setup.model.use_peft else recipes.MERGED))
    events.emit("stopped" if stopped else "done", step=trainer.state.global_step, summary=summary)
    events.close()
    return summary


def _callbacks(setup: Setup, events: EventLog, reporter: Reporter) -> list[Any]:
    callbacks: list[Any] = [reporter, Samples(events, setup.rows(recipes.EVAL)[: setup.studio["samples"]])]
    if setup.training.load_best_model_at_end:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=setup.studio["patience"]))
    return callbacks


def _save(trainer: Any, folder: Path) -> None:
    """Save the weights without the trainer's pickled arguments: no artifact of ours holds a pickle."""
    trainer.save_model(str(folder))
    (folder / "training_args.bin").unlink(missing_ok=True)


def _summary(trainer: Any, events: EventLog, wall_s: float) -> dict[str, Any]:
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
