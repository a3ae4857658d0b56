"""Carry a run's folder out: recipe.yaml, data, base → adapter (or model), events, checkpoints, summary.json.

`python -m studio.train.recipes.run FOLDER` does it in a process of its own: 0 done, 143 stopped with a checkpoint,
1 failed with a sentence in error.json. Interrupted at any moment it goes on from the newest unharmed checkpoint, with
the very same losses.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from storage.artifacts import write_atomically
from studio.errors import StorageFull, StudioError
from studio.train import recipe as recipes
from studio.train.events import EventLog, tail
from studio.train.failures import diagnose
from studio.train.failures.errors import OutOfMemory
from studio.train.failures.signs import is_disk_full, is_out_of_memory
from studio.train.recipes import room
from studio.train.recipes.answers import Answers
from studio.train.recipes.callbacks import FiniteGradients, Reporter
from studio.train.recipes.checkpoints import is_first, newest_complete, step_of
from studio.train.recipes.halt import Finished, Stopped
from studio.train.recipes.judging import CHOICE, Judge, Patience
from studio.train.recipes.outcome import summary
from studio.train.recipes.process import cores, load_average, prepare
from studio.train.recipes.setup import Setup, load
from studio.train.recipes.survival import Survival
from studio.train.recipes.trainers import trainer_kind

SUMMARY, ERROR = "summary.json", "error.json"
STOPPED_POLITELY = 143
NO_LIMIT = 1 << 30
"""Patience of a recipe that keeps no best checkpoint."""
HALVED = "The rows did not fit in one processor's memory. Go on: from now on half as many are held there at once."
Summary = dict[str, Any]


def train(
    folder: Path,
    *,
    stop_asked: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float, str], None] = lambda _done, _text: None,
) -> Summary:
    """Train as the folder's recipe says, resuming what an earlier attempt left, and return the summary.

    When `stop_asked` turns true, a checkpoint is saved and the summary says `"stopped": True`. What does not fit in
    memory is tried again with half the rows at once. Raises Diverged, OutOfMemory, StorageFull, or the library's error.
    """
    torch.set_num_threads(cores())
    events = EventLog(folder / recipes.EVENTS)
    try:
        while (found := _attempt(folder, events, stop_asked, on_progress)) is None:
            room.free()
    except Exception as error:
        _tell(events, folder, error)
        if is_disk_full(error):
            raise StorageFull() from error
        raise
    finally:
        with suppress(OSError):
            events.close()
    if is_first():
        write_atomically(folder / SUMMARY, json.dumps(found, indent=1).encode())
    return found


def main(folder: Path) -> int:
    """Train in a process of its own. Returns the exit code."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    try:
        return STOPPED_POLITELY if train(folder, stop_asked=stop.is_set)["stopped"] else 0
    except Exception as error:
        traceback.print_exc()
        if is_first():
            told = {"error": getattr(error, "message", str(error)), "type": type(error).__name__}
            write_atomically(folder / ERROR, json.dumps(told | {"is_ours": isinstance(error, StudioError)}).encode())
        return 1


class _Attempt:
    """A trainer, built and fitted with what watches it."""

    def __init__(self, setup: Setup, events: EventLog, reporter: Reporter) -> None:
        self.setup, self.events, self.reporter = setup, events, reporter
        golden, held_out = setup.rows(recipes.GOLDEN), setup.rows(recipes.EVAL)
        self.answers = Answers(events, golden, held_out, setup.studio, reporter.stop_asked)
        best = setup.training.load_best_model_at_end
        self.patience = Patience(setup.studio["patience"] if best else NO_LIMIT)
        self.survival = Survival(reporter, self.answers, self.patience)
        self.evaluation, self.started = _Evaluation(), time.monotonic()
        self.load_at_start = load_average()

    def build(self) -> Any:
        """The trainer, ready for `train()`."""
        as_watched(self.setup.training)
        kind = trainer_kind(self.setup.studio["trainer"])
        trainer = self.reporter.trainer = kind.build(self.setup, self._callbacks())
        for pick in getattr(trainer, "picked", ()):
            self.events.emit("picked", what=pick["what"], why=pick["why"])
        return trainer

    def train(self) -> None:
        """Train to the end, from the newest unharmed checkpoint."""
        trainer, found = self.reporter.trainer, newest_complete(self.setup.output, self._tell_harmed)
        self.survival.checkpoint, self.started = found, time.monotonic()
        try:
            trainer.train(resume_from_checkpoint=str(found) if found else None)
        except Finished:
            if self.setup.training.load_best_model_at_end and trainer.state.best_model_checkpoint:
                trainer._load_best_model()
        if trainer.eval_dataset is None:
            self.survival.look()

    def save(self) -> None:
        """Save the weights without the trainer's pickled arguments: no artifact of ours holds a pickle."""
        folder = self.setup.folder / (recipes.ADAPTER if self.setup.model.use_peft else recipes.MERGED)
        self.reporter.trainer.save_model(str(folder))
        (folder / "training_args.bin").unlink(missing_ok=True)

    def may_try_again(self, error: BaseException) -> bool:
        """Whether another attempt can do better: with fewer rows at once, or from an earlier checkpoint."""
        if is_out_of_memory(error):
            return self._has_shrunk(error)
        found = self.survival.checkpoint
        if found is None or self.evaluation.has_begun or is_disk_full(error):
            return False
        shutil.rmtree(found, ignore_errors=True)
        self._tell_harmed(found, str(error)[:500])
        return True

    def _tell_harmed(self, checkpoint: Path, why: str = "its files are not what was saved") -> None:
        self.events.emit("harmed", step=step_of(checkpoint), error=why)

    def _has_shrunk(self, error: BaseException) -> bool:
        training, evaluating = self.setup.training, self.evaluation.is_on
        smaller = room.shrink(self.setup.folder, training, evaluating) if self.evaluation.has_begun else None
        if smaller is None:
            raise OutOfMemory() from error
        key = room.EVAL if evaluating else room.MICRO
        self.events.emit(
            "oom",
            micro_from=getattr(training, key),
            micro_to=smaller[key],
            accumulation=smaller.get(room.ACCUMULATION, training.gradient_accumulation_steps),
            where="evaluation" if evaluating else "training",
        )
        if training.world_size > 1:  # the others wait for this process and can only be started anew together
            raise OutOfMemory(HALVED) from error
        return True

    def _callbacks(self) -> list[Any]:
        guard = FiniteGradients(self.events, lambda: _last_good(self.setup.output))
        judge = Judge(self.events, self.setup.studio["method"])
        return [self.evaluation, self.reporter, self.survival, self.answers, judge, self.patience, guard]


class _Evaluation(TrainerCallback):  # type: ignore[misc]
    """Knows whether training has begun, and whether an evaluation is going on."""

    has_begun = is_on = False

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.has_begun = True

    def on_prediction_step(self, *_: Any, **__: Any) -> None:
        self.is_on = True

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.is_on = False

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.is_on = control.should_evaluate


def as_watched(training: Any) -> None:
    """Choose the best checkpoint by the task's score instead of the loss, and let nothing hide a nan."""
    training.logging_nan_inf_filter = False
    if training.load_best_model_at_end:
        training.metric_for_best_model, training.greater_is_better = CHOICE, True


def _attempt(
    folder: Path, events: EventLog, stop_asked: Callable[[], bool], on_progress: Callable[[float, str], None]
) -> Summary | None:
    """One try. None when another one, with fewer rows at once or from an earlier checkpoint, should follow."""
    kind = trainer_kind(recipes.read_studio(folder)["trainer"])
    setup = load(folder, kind.config, room.changes(folder))
    attempt = _Attempt(setup, events, Reporter(events, stop_asked, on_progress))
    try:
        attempt.build()
        stopped = _carried_out(attempt)
    except Exception as error:
        if not attempt.may_try_again(error):
            raise
        return None
    told = summary(attempt.reporter, setup.studio["method"], tail(events.path)[0], time.monotonic() - attempt.started)
    told["load"] = {"start": attempt.load_at_start, "end": load_average(), "cores": cores()}
    told["stopped"] = stopped
    events.emit("stopped" if stopped else "done", step=told["steps"], summary=told)
    return told


def _carried_out(attempt: _Attempt) -> bool:
    """Train and save what came of it; whether it was stopped before its end."""
    try:
        attempt.train()
    except Stopped as halt:
        if not halt.saved:
            attempt.survival.save_cut()
        return True
    attempt.save()
    return False


def _last_good(output: Path) -> int:
    found = newest_complete(output)
    return step_of(found) if found else 0


def _tell(events: EventLog, folder: Path, error: Exception) -> None:
    """Emit `failed`, and drop the checkpoint that was being written: it would only take up room."""
    newest_complete(folder / recipes.OUTPUT)
    with suppress(OSError):  # on a full disk the log itself cannot grow
        seen, _offset = tail(events.path)
        found = diagnose(error, seen, "", {})
        events.emit("failed", rule=found["rule"], error=found["cause"])


if __name__ == "__main__":
    prepare()
    sys.exit(main(Path(sys.argv[1])))
