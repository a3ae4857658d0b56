"""How rows are read: how long, in which order, how many at once."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from studio.train.lengths import FEW_STEPS
from studio.train.methods import Method
from studio.train.plan import Choice, Situation

UNORDERED = ("kto", "grpo")
"""Trainers that read the file in its own order, or draw prompts."""
IN_PARTS = ("sft", "dpo")
"""Trainers that compute a batch in parts of like length on a CPU (decision 22)."""


def choices(situation: Situation, method: Method, steps: int) -> Iterator[Choice]:
    """Longest row, order, and the limits of a run of so many steps."""
    yield length(situation)
    if method.trainer not in UNORDERED:
        yield order(situation, method, steps)
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


def order(situation: Situation, method: Method, steps: int) -> Choice:
    """Alike rows together where they differ much in length, nothing gentler helps and the run is long."""
    lengths = situation.lengths
    if lengths.longest <= 2 * max(lengths.mean, 1):
        return _order("random", "Your rows are of similar length.")
    if method.trainer in IN_PARTS and not situation.machine.gpu:
        how = "the trainer computes rows of like length together inside each random batch, which changes nothing."
        return _order("random", f"Your rows differ much in length; {how}")
    if steps < FEW_STEPS:
        why = "batches of alike ones teach a little less per step, and a short run has little time to save."
        return _order("random", f"Your rows differ much in length, but {why}")
    price = "a step may teach a little less (held-out loss 0.756 beside 0.729 after 100 steps)."
    return _order("group_by_length", f"Batches of alike rows waste up to three times less on padding; {price}")


def _order(value: str, reason: str) -> Choice:
    return Choice("order", "Order of rows", value, reason, "measured")


def micro_batch(situation: Situation, method: Method, batch: int, tries: int) -> Choice:
    """Rows in memory at once: the whole batch of a tiny model, a few of a bigger one (the rest by accumulation)."""
    label = "Rows in memory at once"
    if situation.shape.is_tiny:
        return Choice("micro_batch", label, batch, "A tiny model holds the whole step.", "measured")
    most = tries if method.name == "grpo" else 8 if situation.machine.gpu else 2
    size = next(number for number in range(min(most, batch), 0, -1) if batch % number == 0)
    return Choice("micro_batch", label, size, "The rest of the step follows by accumulation.", "studio")
