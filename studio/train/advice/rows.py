"""How rows are read: how long, in which order, how many at once."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from studio.train.methods import Method
from studio.train.plan import Choice, Situation

UNORDERED = ("kto", "grpo")
"""Trainers that read the file in its own order, or draw prompts."""


def choices(situation: Situation, method: Method) -> Iterator[Choice]:
    """Longest row, order, and the limits of the run."""
    yield length(situation)
    if method.trainer not in UNORDERED:
        yield order(situation)
    yield Choice("max_steps", "Step limit", None, "No limit besides the epochs.", "studio")
    yield Choice("seed", "Seed", 0, "The same seed, data and recipe give the same model on the same machine.", "studio")


def length(situation: Situation) -> Choice:
    """The longest row that is read whole."""
    wanted = max(64, ceil(situation.lengths.longest * 1.15 / 64) * 64)
    value = min(wanted, situation.shape.context)
    counted = "counted with its tokenizer" if situation.lengths.exact else "guessed from characters"
    reason = f"Your longest row has about {situation.lengths.longest} tokens ({counted}); none is cut."
    if value < wanted:
        reason = f"The most this model can read; rows over {value} tokens are cut."
    return Choice("max_length", "Longest row", value, reason, "your data")


def order(situation: Situation) -> Choice:
    """Alike rows together where they differ much in length."""
    lengths = situation.lengths
    if lengths.longest > 2 * max(lengths.mean, 1):
        reason = "Your rows differ much in length; batching alike ones wastes up to three times less."
        return Choice("order", "Order of rows", "group_by_length", reason, "measured")
    return Choice("order", "Order of rows", "random", "Your rows are of similar length.", "measured")


def micro_batch(situation: Situation, method: Method, batch: int, tries: int) -> Choice:
    """Rows in memory at once: the whole batch of a tiny model, a few of a bigger one (the rest by accumulation)."""
    label = "Rows in memory at once"
    if situation.shape.is_tiny:
        return Choice("micro_batch", label, batch, "A tiny model holds the whole step.", "measured")
    most = tries if method.name == "grpo" else 8 if situation.machine.gpu else 2
    size = next(number for number in range(min(most, batch), 0, -1) if batch % number == 0)
    return Choice("micro_batch", label, size, "The rest of the step follows by accumulation.", "studio")
