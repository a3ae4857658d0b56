"""Which examples are sent to people."""

from __future__ import annotations

import random
from collections.abc import Sequence

from studio.errors import InvalidInput

SAMPLES = {
    "golden_first": "Golden examples nobody verified yet, then random training examples",
    "random": "Random examples",
}


def choose(candidates: Sequence[tuple[str, str, bool]], size: int, how: str, seed: int) -> list[str]:
    """Up to `size` example ids of (id, split, verified) candidates; the same seed chooses the same ones."""
    if how not in SAMPLES:
        raise InvalidInput(f"There is no sample {how!r}. Choose one of: {', '.join(SAMPLES)}.")
    shuffled = sorted(candidates)
    random.Random(seed).shuffle(shuffled)
    if how == "golden_first":
        shuffled = [each for each in shuffled if not each[2]]
        shuffled.sort(key=lambda each: each[1] != "golden")
    return [each[0] for each in shuffled[:size]]
