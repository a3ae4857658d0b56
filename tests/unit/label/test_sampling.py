"""Which examples go to people."""

from __future__ import annotations

import pytest

from studio.errors import InvalidInput
from studio.label.sampling import choose

CANDIDATES = [(f"g{at}", "golden", at < 2) for at in range(6)] + [(f"t{at}", "train", False) for at in range(20)]


def test_golden_examples_nobody_verified_come_first_then_training_ones() -> None:
    chosen = choose(CANDIDATES, 10, "golden_first", 0)
    assert set(chosen[:4]) == {"g2", "g3", "g4", "g5"} and all(each.startswith("t") for each in chosen[4:])


def test_the_same_seed_chooses_the_same_and_another_does_not() -> None:
    first = choose(CANDIDATES, 8, "random", 1)
    assert first == choose(list(reversed(CANDIDATES)), 8, "random", 1) != choose(CANDIDATES, 8, "random", 2)


def test_there_are_never_more_than_asked_for_nor_twice_the_same() -> None:
    assert len(choose(CANDIDATES, 1000, "random", 0)) == 26 == len(set(choose(CANDIDATES, 1000, "random", 0)))


def test_an_unknown_sample_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="golden_first"):
        choose(CANDIDATES, 5, "best", 0)
