"""The order in which one person sees the answers to compare: by hash, so that it need not be stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

SHOWN_NAMES = ("A", "B", "C")
BETWEEN = "~"
"""Stands between item and person in a platform's key; ids and usernames have none."""


def shown_order(item_id: str, username: str, names: Sequence[str]) -> dict[str, str]:
    """Shown name (A, B, C) → candidate name, in this person's order."""
    shuffled = sorted(names, key=lambda name: _draw(item_id, username, name))
    return dict(zip(SHOWN_NAMES, shuffled, strict=False))


def as_candidates(ranking: Iterable[Mapping[str, Any]], order: Mapping[str, str]) -> list[dict[str, Any]]:
    """A ranking of shown names told in candidates, ties kept, best first; places of empty seats are left out."""
    told = sorted((int(each["rank"]), order[each["value"]]) for each in ranking if each["value"] in order)
    places = {rank: at for at, rank in enumerate(sorted({rank for rank, _name in told}), start=1)}
    return [{"value": name, "rank": places[rank]} for rank, name in told]


def as_shown(ranking: Iterable[Mapping[str, Any]], order: Mapping[str, str]) -> list[dict[str, Any]]:
    """A ranking of candidates told in this person's names: the inverse of `as_candidates`."""
    return as_candidates(ranking, {candidate: shown for shown, candidate in order.items()})


def asked_people(item_id: str, people: Sequence[str], count: int) -> tuple[str, ...]:
    """`count` of the people for an item that is nobody's in particular; over many items everybody's share is equal."""
    return tuple(sorted(sorted(people, key=lambda name: _draw(item_id, name, ""))[:count]))


def platform_key(item_id: str, username: str) -> str:
    """The key of an item that only this person sees."""
    return f"{item_id}{BETWEEN}{username}"


def item_and_person(key: str) -> tuple[str, str]:
    """Item id and username of a platform's key; the username is empty where everybody sees the same item."""
    item_id, _, username = key.partition(BETWEEN)
    return item_id, username


def _draw(*parts: str) -> str:
    return sha256("\x1f".join(parts).encode()).hexdigest()
