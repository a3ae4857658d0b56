"""What the trainer tells the studio while it runs, and how it is told to stop or notices that it must."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from studio.train.events import EventLog, tail, tokens_at
from studio.train.failures.errors import Diverged
from studio.train.recipes.checkpoints import seal
from studio.train.recipes.halt import Stopped

MIB = 1 << 20


class Reporter(TrainerCallback):  # type: ignore[misc]
    """Writes events.jsonl, reports progress, seals checkpoints, and turns a stop request into a saved checkpoint."""

    def __init__(
        self, events: EventLog, stop_asked: Callable[[], bool], on_progress: Callable[[float, str], None]
    ) -> None:
        self.events, self.stop_asked, self.on_progress = events, stop_asked, on_progress
        self.trainer: Any = None
        """Set once the trainer is built: callbacks come before it."""
        self.tokens_before = 0
        self._speed = Speed(0)

    @property
    def tokens(self) -> int:
        """Tokens trained on so far, earlier attempts included."""
        return int(max(getattr(self.trainer, "_total_train_tokens", 0), self.trainer.state.num_input_tokens_seen))

    def begin(self, resumed_at: int) -> None:
        """Tell where training goes on from, with the tokens counted so far."""
        earlier, _offset = tail(self.events.path)
        self.tokens_before = tokens_at(earlier, resumed_at)
        if hasattr(self.trainer, "_total_train_tokens"):
            self.trainer._total_train_tokens = self.tokens_before
        self._speed = Speed(self.tokens_before)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Say how long the run is and where it goes on from."""
        self.begin(state.global_step)
        self.events.emit("train_begin", max_steps=state.max_steps, resumed_at=state.global_step)

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock of a step."""
        self._speed.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Save and stop when asked to; report progress otherwise."""
        self._speed.stop()
        if self.asked(args):
            control.should_training_stop = control.should_save = control.should_log = True
        self.on_progress(state.global_step / max(state.max_steps, 1), f"Step {state.global_step} of {state.max_steps}")

    def on_prediction_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave an evaluation when asked to stop; it is made up for when the run goes on."""
        if self.asked(args):
            raise Stopped(saved=False)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """One `log` event per logged point of training; evaluations are told by the judge."""
        numbers = {name: value for name, value in (logs or {}).items() if isinstance(value, int | float)}
        if any(name.startswith("eval_") for name in numbers):
            return
        facts = {"num_tokens": self.tokens, "tokens_per_second": self._speed.since_last(self.tokens)}
        numbers |= {name: value for name, value in facts.items() if value} | {"memory_mb": memory_mb()}
        self.events.emit("log", step=state.global_step, max_steps=state.max_steps, **numbers)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A checkpoint is whole on disk; leave when that is what was waited for."""
        if args.should_save:
            seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")
        self.events.emit("checkpoint", step=state.global_step, num_tokens=self.tokens)
        if self.asked(args) and state.global_step < state.max_steps:
            raise Stopped(saved=True)

    def asked(self, args: Any) -> bool:
        """Whether to stop; all processes of a run agree, or they would wait for each other."""
        if args.world_size == 1:
            return self.stop_asked()
        flag = torch.tensor(float(self.stop_asked()), device=args.device)
        torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
        return bool(flag.item())


class FiniteGradients(TrainerCallback):  # type: ignore[misc]
    """Ends a run before numbers that are not finite reach the weights."""

    def __init__(self, events: EventLog, last_good: Callable[[], int]) -> None:
        self.events, self.last_good = events, last_good

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Look at every gradient. In fp16 the scaler skips such steps by itself."""
        gradients = [each.grad for each in model.parameters() if each.grad is not None]
        if args.fp16 or not gradients or all_finite(gradients):
            return
        step, last_good = state.global_step + 1, self.last_good()
        self.events.emit("nan", step=step, last_good=last_good)
        raise Diverged(
            f"At step {step} the loss was no longer a number, so the run was stopped before the weights were harmed. "
            "The learning rate is too high for this model: lower it and train again.",
            step=step,
            last_good=last_good,
        )


class Speed:
    """Tokens per second of the steps since the last log; evaluations and checkpoints do not count."""

    def __init__(self, tokens: int) -> None:
        self._started, self._busy, self._counted = 0.0, 0.0, tokens

    def start(self) -> None:
        """A step begins."""
        self._started = time.monotonic()

    def stop(self) -> None:
        """A step ended."""
        self._busy += time.monotonic() - self._started

    def since_last(self, tokens: int) -> int | None:
        """The speed since the last call; None without steps or tokens between."""
        before, busy = self._counted, self._busy
        self._counted, self._busy = tokens, 0.0
        return round((tokens - before) / busy) if busy > 0 and tokens > before else None


def all_finite(gradients: list[torch.Tensor]) -> bool:
    """Whether no gradient holds a nan or an infinity."""
    norms = torch._foreach_norm(gradients)
    return bool(torch.stack([norm.float().to(norms[0].device) for norm in norms]).isfinite().all().item())


def memory_mb() -> int:
    """Memory of this process now: the GPU's where there is one, else what it holds of the machine's."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return int(torch.cuda.memory_allocated()) // MIB
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return peak_memory_mb()
    return int(statm.read_text().split()[1]) * resource.getpagesize() // MIB


def peak_memory_mb() -> int:
    """The most memory this process held at once."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_allocated()) // MIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
