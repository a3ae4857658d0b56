"""A run goes on as if nothing had interrupted it: what a restart makes up for, and what a stop leaves behind."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback

from studio.train.recipes.answers import Answers
from studio.train.recipes.callbacks import Reporter
from studio.train.recipes.checkpoints import UNFINISHED, seal, unseal
from studio.train.recipes.halt import Finished, Stopped
from studio.train.recipes.judging import Patience


class Survival(TrainerCallback):  # type: ignore[misc]
    """Begins where the last attempt left off, and saves a checkpoint in the middle of an evaluation."""

    def __init__(self, reporter: Reporter, answers: Answers, patience: Patience) -> None:
        self.reporter, self.answers, self.patience = reporter, answers, patience
        self.checkpoint: Path | None = None
        """The checkpoint this attempt goes on from."""
        self._randomness: tuple[Any, ...] = ()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Make up for an evaluation that was cut, see whether anything is left, and measure before the first step."""
        if self.reporter.asked(args):
            raise Stopped(saved=True)
        if self.checkpoint and (self.checkpoint / UNFINISHED).exists():
            self._make_up(self.checkpoint)
        if state.global_step >= state.max_steps or (state.global_step and self.patience.is_over(state)):
            raise Finished()
        if state.global_step == 0:
            before = randomness()
            self.look()
            restore(before)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Remember the randomness an evaluation starts from."""
        if control.should_evaluate:
            self._randomness = randomness()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The same, for a recipe that evaluates once per pass."""
        self.on_step_end(args, state, control)

    def look(self) -> None:
        """Evaluate now: the held-out rows, or at least the golden ones."""
        trainer = self.reporter.trainer
        if trainer.eval_dataset is not None and trainer.args.eval_strategy != "no":
            trainer.evaluate()
            return
        more = {"processing_class": trainer.processing_class, "metrics": {}}
        self.answers.on_evaluate(trainer.args, trainer.state, trainer.control, model=trainer.model, **more)

    def save_cut(self) -> None:
        """Save the step whose evaluation was cut, marked so that the evaluation is made up for."""
        trainer = self.reporter.trainer
        if trainer.state.global_step == 0:
            return
        if self._randomness:
            restore(self._randomness)
        self._save(Path(trainer.args.output_dir) / f"checkpoint-{trainer.state.global_step}", cut=True)

    def _make_up(self, checkpoint: Path) -> None:
        trainer = self.reporter.trainer
        trainer._load_rng_state(str(checkpoint))
        trainer._determine_best_metric(trainer._evaluate(None, None), None)
        self._save(checkpoint, cut=False)

    def _save(self, checkpoint: Path, cut: bool) -> None:
        trainer = self.reporter.trainer
        if trainer.args.should_save and checkpoint.exists():
            unseal(checkpoint)
        trainer._save_checkpoint(trainer.model, None)
        if trainer.args.should_save:
            if cut:
                (checkpoint / UNFINISHED).touch()
            seal(checkpoint)
        self.reporter.events.emit("checkpoint", step=trainer.state.global_step, num_tokens=self.reporter.tokens)


def randomness() -> tuple[Any, ...]:
    """The state of every source of randomness."""
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return random.getstate(), np.random.get_state(), torch.get_rng_state(), devices


def restore(state: tuple[Any, ...]) -> None:
    """Go back to an earlier state of every source of randomness."""
    own, numbers, tensors, devices = state
    random.setstate(own)
    np.random.set_state(numbers)
    torch.set_rng_state(tensors)
    if devices:
        torch.cuda.set_rng_state_all(devices)
