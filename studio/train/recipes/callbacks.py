"""What the trainer tells the studio while it runs: curves, checkpoints, sampled answers; and how it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback

from studio.train.events import EventLog, tail, tokens_until
from studio.train.recipes.generate import greedy

MAX_SAMPLE_TOKENS = 128


class Reporter(TrainerCallback):  # type: ignore[misc]
    """Writes events.jsonl, reports progress, and turns a stop request into a saved checkpoint."""

    def __init__(
        self, events: EventLog, stop_asked: Callable[[], bool], on_progress: Callable[[float, str], None]
    ) -> None:
        self.events, self.stop_asked, self.on_progress = events, stop_asked, on_progress
        self._tokens_before = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Say how long the run is and where it goes on from."""
        earlier, _offset = tail(self.events.path)
        self._tokens_before = tokens_until(earlier, state.global_step)
        self.events.emit("train_begin", max_steps=state.max_steps, resumed_at=state.global_step)
        if self.stop_asked():
            control.should_training_stop = True

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Save and stop when asked to; report progress otherwise."""
        if self.stop_asked():
            control.should_training_stop = control.should_save = True
        self.on_progress(state.global_step / max(state.max_steps, 1), f"Step {state.global_step} of {state.max_steps}")

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """One event per logged point: kind `eval` for an evaluation, else `log`."""
        numbers = {name: value for name, value in (logs or {}).items() if isinstance(value, int | float)}
        if "num_tokens" in numbers:
            numbers["num_tokens"] = int(numbers["num_tokens"]) + self._tokens_before
        kind = "eval" if "eval_loss" in numbers else "log"
        self.events.emit(kind, step=state.global_step, max_steps=state.max_steps, **numbers)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A checkpoint is whole on disk."""
        self.events.emit("checkpoint", step=state.global_step)


class Samples(TrainerCallback):  # type: ignore[misc]
    """After every evaluation, the model's present answer to a few fixed prompts, beside the expected one.

    Metrics can look perfect while the text collapses; a person sees that at a glance.
    """

    def __init__(self, events: EventLog, rows: list[dict[str, Any]]) -> None:
        self.events, self.rows = events, rows

    def on_evaluate(self, args: Any, state: Any, control: Any, model: Any = None, **more: Any) -> None:
        """Generate greedily (no randomness is drawn, so a resumed run stays equal) and emit `sample` events."""
        if not self.rows:
            return
        tokenizer = more["processing_class"]
        expected = [row["completion"][0]["content"] for row in self.rows]
        length = min(MAX_SAMPLE_TOKENS, max(len(tokenizer(text)["input_ids"]) for text in expected) + 8)
        answers = greedy(model, tokenizer, [row["prompt"] for row in self.rows], length)
        for row, wanted, answer in zip(self.rows, expected, answers, strict=True):
            asked = row["prompt"][-1]["content"]
            self.events.emit("sample", step=state.global_step, prompt=asked, expected=wanted, answer=answer.text)
