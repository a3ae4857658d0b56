"""Rows of like length in one batch: less padding, the same rows per epoch, and the same order after a resume."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from pyarrow import compute
from torch.utils.data import Sampler, SequentialSampler

LIKE, POOL = "group_by_length", 50
"""TRL's name of the strategy; batches that are drawn at random and then sorted together."""
TEXTS = ("input_ids", "chosen_ids", "rejected_ids", "chosen_input_ids", "rejected_input_ids")
PROMPT = "prompt_ids"
"""Columns of prepared rows: whole texts, or what follows the prompt where the prompt is a column of its own."""


class LengthGrouped(Sampler):  # type: ignore[misc]
    """Draws batches of like length in an order that follows from the seed and the epoch alone.

    The sampler of transformers draws from the process's own random numbers, which a resume in a later epoch does not
    bring back, and walks from long batches to short ones; this one also shuffles the batches.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        self.lengths, self.batch, self.seed, self.epoch = lengths, batch, seed, 0

    def __len__(self) -> int:
        return len(self.lengths)

    def set_epoch(self, epoch: int) -> None:
        """Draw the order of this epoch next."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        source = random.Random(f"{self.seed}:{self.epoch}")
        order = source.sample(range(len(self.lengths)), len(self.lengths))
        batches, rest = [], []
        for pool in _cut(order, self.batch * POOL):
            pool.sort(key=lambda row: self.lengths[row])
            whole = len(pool) - len(pool) % self.batch
            batches += _cut(pool[:whole], self.batch)
            rest += pool[whole:]
        source.shuffle(batches)
        return iter([row for each in (*batches, rest) for row in each])


def padding_share(lengths: Sequence[int], batch: int, seed: int = 0) -> float:
    """The share of a batch that would be padding when rows are drawn at random."""
    order = random.Random(seed).sample(range(len(lengths)), len(lengths))
    padded = sum(max(lengths[row] for row in each) * len(each) for each in _cut(order, batch))
    return 1 - sum(lengths) / padded if padded else 0.0


def row_lengths(dataset: Any) -> list[int]:
    """Tokens of each prepared row; of the longer answer where a row has two."""
    names = [name for name in TEXTS if name in dataset.column_names]
    longest = list(map(max, zip(*(_sizes(dataset, name) for name in names), strict=True)))
    if PROMPT not in dataset.column_names:
        return longest
    return [asked + answer for asked, answer in zip(_sizes(dataset, PROMPT), longest, strict=True)]


def _sizes(dataset: Any, name: str) -> list[int]:
    """Lengths of a column of lists, without reading what is in them."""
    column = dataset.select_columns([name]).with_format("arrow")[:][name]
    sizes: list[int] = compute.list_value_length(column).to_pylist()
    return sizes


class GroupsByLength:
    """For a TRL trainer: `group_by_length` draws with `LengthGrouped`."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        trainer: Any = self
        if trainer.args.train_sampling_strategy != LIKE:
            return super()._get_train_sampler(train_dataset)  # type: ignore[misc]
        rows = trainer.train_dataset if train_dataset is None else train_dataset
        seed = trainer.args.data_seed if trainer.args.data_seed is not None else trainer.args.seed
        batch = trainer.args.train_batch_size * trainer.args.gradient_accumulation_steps * trainer.args.world_size
        return LengthGrouped(row_lengths(rows), batch, seed)

    def _get_eval_sampler(self, eval_dataset: Any) -> Any:
        """Rows are watched in their own order."""
        alone = eval_dataset is not None and self.args.world_size <= 1  # type: ignore[attr-defined]
        return SequentialSampler(eval_dataset) if alone else None


def _cut(rows: list[int], size: int) -> list[list[int]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
