"""Who is asked for which example."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

import pytest

from studio.errors import InvalidInput
from studio.label.assignment import quotas, split


def test_every_item_has_exactly_as_many_people_and_each_person_their_quota() -> None:
    for seed in range(60):
        chance = random.Random(seed)
        people = [f"p{number}" for number in range(chance.randint(1, 7))]
        items, needed = chance.randint(1, 25), chance.randint(1, len(people))
        shares = {name: chance.choice([0.1, 1, 2, 40]) for name in people}
        parts = split(items, people, needed, shares, seed)
        assert len(parts) == items and all(len(set(part)) == len(part) == needed for part in parts)
        expected = {name: n for name, n in quotas(items, people, needed, shares).items() if n}
        assert Counter(name for part in parts for name in part) == expected


def test_quotas_follow_the_shares() -> None:
    assert quotas(60, ["mia", "noah", "otto"], 2, {}) == {"mia": 40, "noah": 40, "otto": 40}
    assert quotas(80, ["mia", "noah"], 1, {"mia": 3}) == {"mia": 60, "noah": 20}
    assert quotas(10, ["mia", "noah", "otto"], 1, {}) == {"mia": 4, "noah": 3, "otto": 3}


def test_nobody_gets_more_than_there_is_and_the_others_take_the_rest() -> None:
    assert quotas(10, ["mia", "noah", "otto"], 2, {"mia": 100}) == {"mia": 10, "noah": 5, "otto": 5}


def test_any_two_people_meet() -> None:
    pairs = Counter(split(120, ["a", "b", "c", "d"], 2, {}, 0))
    assert set(pairs) == set(combinations("abcd", 2)) and min(pairs.values()) > 5


def test_the_same_seed_splits_alike_and_another_does_not() -> None:
    people = ["a", "b", "c"]
    assert split(30, people, 1, {}, 4) == split(30, people, 1, {}, 4) != split(30, people, 1, {}, 5)


def test_too_few_people_are_refused() -> None:
    with pytest.raises(InvalidInput, match="at least 3 people"):
        split(5, ["mia", "noah"], 3, {}, 0)
