"""What a trainer chooses by itself, and why: only what was measured to be faster, and what it costs where it does.

A recipe that names one of these settings keeps it; `fast` in studio.json turns a choice off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import yaml

from studio.train import recipe as recipes
from studio.train.lengths import FEW_STEPS
from studio.train.recipes.setup import Setup
from studio.train.recipes.trainers.grouping import padding_share

GROUP_FROM = 0.1
"""Padding below this share is not worth another order of the rows."""


@dataclass(frozen=True)
class Pick:
    """One choice."""

    what: str
    why: str

    def to_dict(self) -> dict[str, str]:
        """Plain values, as a `picked` event carries them."""
        return asdict(self)


def free(setup: Setup, fast: str, *keys: str) -> bool:
    """Whether the trainer may choose: not turned off in studio.json, and none of the keys named by the recipe."""
    named: dict[str, Any] = yaml.safe_load((setup.folder / recipes.RECIPE).read_text()) or {}
    return (setup.studio.get("fast") or {}).get(fast, True) is not False and not named.keys() & set(keys)


def parts(lengths: Sequence[int], batch: int) -> Pick | None:
    """A batch's rows computed with others of their length, where the whole would be padding to a good part."""
    share = padding_share(lengths, batch)
    if share < GROUP_FROM:
        return None
    why = f"{share:.0%} of a batch would be padding. Its loss and gradient stay those of the whole batch."
    return Pick("batches computed in parts of like length", why)


def grouping(lengths: Sequence[int], batch: int, steps: float) -> Pick | None:
    """Rows of like length together, where random batches would be padding to a good part of a run that is long."""
    share = padding_share(lengths, batch)
    if share < GROUP_FROM or steps < FEW_STEPS:
        return None
    why = f"{share:.0%} of a random batch would be padding: rows differ in length. A step may teach a little less."
    return Pick("rows of like length in one batch", why)


def packing(lengths: Sequence[int], max_length: int, batch: int, has_flash: bool) -> tuple[Pick, int] | None:
    """Several rows in one sequence, where the attention keeps them apart, and the batch of as many tokens."""
    if not has_flash or not lengths or max(lengths) > max_length:
        return None
    mean = sum(lengths) / len(lengths)
    if mean * 2 > max_length:
        return None
    why = f"Rows are {mean:.0f} tokens on average and {max_length} fit; FlashAttention keeps packed rows apart."
    return Pick("rows packed into full sequences (bfd)", why), max(1, round(batch * mean / max_length))


def compact_head(device: str, plain: bool) -> Pick | None:
    """Scores over the vocabulary for learned positions only; TRL's own kernel does it on a GPU."""
    if device != "cpu" or not plain:
        return None
    return Pick("compact head", "On a CPU, only the tokens that are learned are compared with the whole vocabulary.")


def reference(epochs: float, trains_all: bool) -> Pick | None:
    """The reference's answers computed once, where they would be needed again or need a second model in memory."""
    if trains_all:
        return Pick("reference computed before training", "No second copy of the model has to stay in memory.")
    if epochs <= 1:
        return None
    return Pick("reference computed before training", f"Each row is seen {epochs:.1f} times, its reference once.")
