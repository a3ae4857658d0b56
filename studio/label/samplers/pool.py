"""What a sampler is given, and what it gives back."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlmodel import Session

from storage.repositories.samples import Candidate


class Chosen(NamedTuple):
    """An example, and why it was chosen."""

    example_id: str
    reason: str


@dataclass(frozen=True)
class Pool:
    """The examples to choose from (in, with an answer, not out with people), how many, by what, and the seed."""

    session: Session
    dataset_id: str
    candidates: Sequence[Candidate]
    size: int
    by: str = ""
    seed: int = 0

    def shuffled(self) -> list[Candidate]:
        """The candidates in an order that only the seed decides."""
        order = sorted(self.candidates)
        random.Random(self.seed).shuffle(order)
        return order
