"""What all trainers of the studio share: rows as a data set, quick choices told, the number that chooses the best."""

from __future__ import annotations

import json
from typing import Any

from datasets import Dataset
from peft import PeftModel

from studio.train import recipe as recipes
from studio.train.recipes.setup import Setup
from studio.train.recipes.trainers import compact, picks
from studio.train.recipes.trainers.grouping import LIKE, row_lengths

TASK = "eval_task"
"""Name of the number that the best checkpoint is chosen by; higher is better."""


def data_of(setup: Setup) -> dict[str, Any]:
    """The arguments that hand the run's rows to a TRL trainer."""
    watched = setup.rows(recipes.EVAL)
    rows = {"train_dataset": dataset(setup.rows(recipes.TRAIN))}
    return rows | {"eval_dataset": dataset(watched) if watched else None}


def dataset(rows: list[dict[str, Any]]) -> Dataset:
    """Rows as a data set; tools as JSON text, for their schemas differ from row to row."""
    names = sorted({name for row in rows for name in row})
    even = [{name: _column(name, row.get(name)) for name in names} for row in rows]
    return Dataset.from_list(even, on_mixed_types="use_json")


def _column(name: str, value: Any) -> Any:
    return json.dumps(value) if name == "tools" and value is not None and not isinstance(value, str) else value


def told(trainer: Any, *choices: list[picks.Pick]) -> Any:
    """The trainer with all choices in `trainer.picked`, as the run's events carry them."""
    trainer.picked = [pick.to_dict() for chosen in choices for pick in chosen]
    return trainer


def grouped(trainer: Any, setup: Setup) -> list[picks.Pick]:
    """Put rows of like length into one batch, where that saves padding."""
    if not picks.free(setup, "group_by_length", "train_sampling_strategy", "packing", "padding_free"):
        return []
    args = trainer.args
    if args.train_sampling_strategy != "random" or getattr(args, "packing", False):
        return []
    batch = args.train_batch_size * args.gradient_accumulation_steps
    lengths = row_lengths(trainer.train_dataset)
    steps = args.max_steps if args.max_steps > 0 else args.num_train_epochs * len(lengths) / batch
    pick = picks.grouping(lengths, batch, steps)
    if pick is None:
        return []
    args.train_sampling_strategy = LIKE
    return [pick]


def evened(trainer: Any, setup: Setup, fields: tuple[str, ...] = compact.PREFERENCE_FIELDS) -> list[picks.Pick]:
    """The compact head, and little padding: batches in parts where the head is compact, else rows grouped by length."""
    cut = parted(trainer, setup)
    head = headed(trainer, setup, fields, in_parts=bool(cut))
    return [*head, *cut] if head and cut else [*head, *grouped(trainer, setup)]


def parted(trainer: Any, setup: Setup) -> list[picks.Pick]:
    """Compute batches in parts of like length, where that saves padding."""
    args = trainer.args
    if not picks.free(setup, "parts", "packing", "padding_free") or getattr(args, "packing", False):
        return []
    if args.train_sampling_strategy != "random":
        return []
    pick = picks.parts(row_lengths(trainer.train_dataset), args.train_batch_size)
    return [pick] if pick else []


def headed(
    trainer: Any, setup: Setup, fields: tuple[str, ...] = compact.PREFERENCE_FIELDS, *, in_parts: bool = False
) -> list[picks.Pick]:
    """Put the compact head on a trainer that uses TRL's fused head, where it is quicker."""
    models = [plain(each) for each in (trainer.model, getattr(trainer, "ref_model", None)) if each is not None]
    fits = picks.free(setup, "compact_head") and all(map(compact.fits, models))
    pick = picks.compact_head(trainer.args.device.type, fits)
    if pick is None:
        return []
    for model in models:
        compact.add_compact_head(model, fields, in_parts)
    return [pick]


def plain(model: Any) -> Any:
    """The model without its adapter."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


class Told:
    """For a TRL trainer: evaluations also carry `eval_task`, the mean of `task` over the evaluation."""

    task = "rewards/accuracies"
    picked: list[dict[str, str]] = []

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Add the number that chooses the best checkpoint."""
        values = self.evaluated().get(self.task)
        if "eval_loss" in logs and values and TASK not in logs:
            logs[TASK] = sum(values) / len(values)
        super().log(logs, *args, **kwargs)  # type: ignore[misc]

    def evaluated(self) -> dict[str, list[float]]:
        """What TRL measured in the evaluation that is being logged."""
        found: dict[str, list[float]] = self._metrics["eval"]  # type: ignore[attr-defined]
        return found


class Counted(Told):
    """For TRL's experimental trainers: count the tokens as the stable ones do."""

    _total_train_tokens = 0

    def concatenated_inputs(self, batch: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Join chosen and rejected, and count what is not padding."""
        joined = super().concatenated_inputs(batch, *args, **kwargs)  # type: ignore[misc]
        if self.model.training:  # type: ignore[attr-defined]
            self._total_train_tokens += int(joined["concatenated_attention_mask"].sum())
        return joined

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Say how many tokens were learned from."""
        if "loss" in logs:
            logs["num_tokens"] = self._total_train_tokens
        super().log(logs, *args, **kwargs)

    def evaluated(self) -> dict[str, list[float]]:
        """What TRL measured in the evaluation that is being logged."""
        measured = self._stored_metrics["eval"]  # type: ignore[attr-defined]
        return {name.removeprefix("eval_"): values for name, values in measured.items()}
