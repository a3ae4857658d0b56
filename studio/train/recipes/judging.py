"""Which checkpoint is best, and when to stop: by the task on held-out rows, never by golden rows."""

from __future__ import annotations

import math
from typing import Any

from transformers import TrainerCallback

from studio.train.events import EventLog
from studio.train.methods import METHODS

TASK, CHOICE = "eval_task", "eval_choice"
SHARE = {"eval_loss": "eval_greedy_exact"}
"""What is watched instead of a method's target: a founder's task is right answers, not a loss."""
TIE = 1e-4
"""What a whole unit of loss may weigh: less than one held-out row, so it only decides between equals."""


class Judge(TrainerCallback):  # type: ignore[misc]
    """Adds `eval_task` (higher is better) and `eval_choice` to an evaluation's numbers, and tells them.

    The trainer keeps the checkpoint with the best `eval_choice`: the task's score, and among equals the lower loss.
    """

    def __init__(self, events: EventLog, method: str) -> None:
        target = METHODS[method].target if method in METHODS else "eval_loss"
        self.events, self.wanted = events, SHARE.get(target, f"eval_{target}")

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **more: Any) -> None:
        """Complete the numbers, also in the trainer's own history, and emit the `eval` event."""
        loss = _finite(metrics.get("eval_loss"), 0.0)
        task = metrics.setdefault(TASK, _finite(metrics.get(self.wanted), -loss))
        metrics[CHOICE] = task - TIE * loss / (1 + abs(loss))
        state.log_history[-1] |= {TASK: task, CHOICE: metrics[CHOICE]}
        numbers = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
        loader = more.get("eval_dataloader")
        numbers["rows"] = len(loader.dataset) if loader is not None else 0
        self.events.emit("eval", step=state.global_step, max_steps=state.max_steps, **numbers)


class Patience(TrainerCallback):  # type: ignore[misc]
    """Stops when this many evaluations in a row brought nothing better.

    It counts in the trainer's history, which a checkpoint holds, so a resumed run stops at the same step.
    """

    def __init__(self, evaluations: int) -> None:
        self.evaluations = evaluations

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop after this step when patience is over."""
        if self.is_over(state):
            control.should_training_stop = True

    def is_over(self, state: Any) -> bool:
        """Whether the history ends with enough evaluations in vain; the one before the first step does not count."""
        history = [entry[CHOICE] for entry in state.log_history if CHOICE in entry and entry["step"]]
        return in_vain(history) >= self.evaluations


def in_vain(scores: list[float]) -> int:
    """Evaluations since the best one."""
    return len(scores) - 1 - scores.index(max(scores)) if scores else 0


def _finite(value: Any, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else otherwise
