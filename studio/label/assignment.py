"""Who is asked for which example: everybody's queue, or exact shares."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from studio.errors import InvalidInput


def split(
    items: int, people: Sequence[str], answers_per_item: int, shares: Mapping[str, float], seed: int
) -> list[tuple[str, ...]]:
    """For each item exactly `answers_per_item` people; each person gets their share of the answers, nobody one twice.

    Who meets whom varies from item to item, so that any two people can be compared; the same seed gives the same split.
    """
    left = quotas(items, people, answers_per_item, shares)
    chance = random.Random(seed)
    return [_take(left, items - done, answers_per_item, chance) for done in range(items)]


def quotas(items: int, people: Sequence[str], answers_per_item: int, shares: Mapping[str, float]) -> dict[str, int]:
    """How many items each person gets: by weight, but never more than there are. They add up to all answers."""
    if len(people) < answers_per_item:
        raise InvalidInput(f"{answers_per_item} answers per example need at least {answers_per_item} people.")
    wanted = items * answers_per_item
    weights = {name: float(shares.get(name, 1.0)) for name in people}
    full = _capped(weights, wanted, items)
    exact = _levelled({name: weights[name] for name in people if name not in full}, wanted - items * len(full))
    return {name: items if name in full else exact[name] for name in people}


def _capped(weights: Mapping[str, float], wanted: int, items: int) -> set[str]:
    """People whose share would be more than every item: they get every item, the others divide the rest."""
    full: set[str] = set()
    while True:
        rest = wanted - items * len(full)
        total = sum(weight for name, weight in weights.items() if name not in full)
        over = {name for name in weights if name not in full and rest * weights[name] >= items * total}
        if not over:
            return full
        full |= over


def _levelled(weights: Mapping[str, float], wanted: int) -> dict[str, int]:
    """Whole numbers in proportion to the weights that add up (largest remainder)."""
    total = sum(weights.values())
    exact = {name: wanted * weight / total for name, weight in weights.items()}
    whole = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (whole[name] - exact[name], name))
    for name in by_remainder[: wanted - sum(whole.values())]:
        whole[name] += 1
    return whole


def _take(left: dict[str, int], items_left: int, needed: int, chance: random.Random) -> tuple[str, ...]:
    """The people of one item: whoever must take all that is left, then by chance in proportion to what is left."""
    chosen = [name for name, count in left.items() if count == items_left]
    others = [name for name, count in left.items() if 0 < count < items_left]
    others.sort(key=lambda name: (chance.random() ** (1 / left[name]), name), reverse=True)
    chosen += others[: needed - len(chosen)]
    for name in chosen:
        left[name] -= 1
    return tuple(sorted(chosen))
