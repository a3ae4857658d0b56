"""What several people's answers to one item mean together. Pure: no database, no platform."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from studio.curate.outputs import same_answer as same_answer

Thing = TypeVar("Thing", bound=Hashable)


@dataclass(frozen=True)
class Opinion:
    """One person's answer read as an output: the output they stand by, or None when they gave none."""

    annotator: str
    output: str | None


@dataclass(frozen=True)
class Decision:
    """What answers come to, and by which rule.

    confirmed (the shown output is right), corrected (this output is), disputed, marked (`output` holds spans as JSON)
    or tied (nobody contradicts anybody, and no answer wins).
    """

    verdict: str
    output: str | None = None
    rule: str = ""


def settle(shown: str, chosen: str, rule: str) -> Decision:
    """The decision for an output: the shown text stands when it says the same."""
    if same_answer(chosen) == same_answer(shown):
        return Decision("confirmed", shown, rule)
    return Decision("corrected", chosen.strip(), rule)


def decide(opinions: Sequence[Opinion], shown: str) -> Decision:
    """More than half must stand by the same output; otherwise the item is disputed."""
    votes: dict[str, list[str]] = {}
    for opinion in opinions:
        if opinion.output is not None:
            votes.setdefault(same_answer(opinion.output), []).append(opinion.output)
    most = max(votes.values(), key=len, default=[])
    if 2 * len(most) <= len(opinions):
        return Decision("disputed")
    return settle(shown, most[0], _rule(len(most), len(opinions)))


@dataclass(frozen=True)
class Majority(Generic[Thing]):
    """The members that more than half chose, and whether everybody chose exactly these."""

    chosen: frozenset[Thing]
    rule: str


def majority(sets: Sequence[frozenset[Thing]]) -> Majority[Thing] | None:
    """What more than half put into their set, member by member.

    None where a member has exactly half of the votes, or where no member that people chose has more while fewer than
    half chose none.
    """
    votes = Counter(member for each in sets for member in each)
    chosen = frozenset(member for member, count in votes.items() if 2 * count > len(sets))
    if not sets or any(2 * count == len(sets) for count in votes.values()):
        return None
    if not chosen and 2 * sum(not each for each in sets) <= len(sets):
        return None
    return Majority(chosen, _rule(sum(each == chosen for each in sets), len(sets)))


def _rule(votes: int, opinions: int) -> str:
    if opinions == 1:
        return "single"
    return "agreement" if votes == opinions else "majority"
