"""What people's preferences about one prompt's answers come to: contradictions settled, duplicates made one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from storage.tables import PreferencePair
from studio.curate.decisions import joined
from studio.curate.outputs import same_answer

AUTHORITY = {"ranking": 0, "review": 1, "correction": 2}
"""Where sources contradict each other the higher one is right: the output that stands today outranks the rest."""
PEOPLE, FEEDBACK = "people", "correction"
"""Sources of outputs that people gave: teammates who decided, users who corrected an answer."""


@dataclass(frozen=True)
class Preference:
    """One answer over another, without its prompt."""

    chosen: str
    rejected: str
    source: str
    votes: int = 1
    against: int = 0
    decided_by: str = ""

    @property
    def direction(self) -> tuple[str, str]:
        """Equal for preferences that say the same."""
        return same_answer(self.chosen), same_answer(self.rejected)

    def turned(self) -> Preference:
        """The same votes told the other way round."""
        return Preference(self.rejected, self.chosen, self.source, self.against, self.votes, self.decided_by)


def stated_by(row: PreferencePair) -> Preference:
    """A stored preference."""
    return Preference(row.chosen, row.rejected, row.source, row.votes, row.against, row.decided_by)


def correction(output: str, original: str, source: str, *, verified: bool, decided_by: str = "") -> Preference | None:
    """People's answer over the model's, or None where people changed nothing or there is nothing to compare.

    An output that people merely preferred to some others corrects nothing: it was never held against the original.
    """
    if not (source == FEEDBACK or (source == PEOPLE and verified)) or not output.strip() or not original.strip():
        return None
    if output == original or same_answer(output) == same_answer(original):
        return None
    votes = len(decided_by.split(",")) if decided_by else 1
    return Preference(output, original, "correction", votes, 0, decided_by)


def settled(preferences: Sequence[Preference]) -> list[Preference]:
    """One preference for each two answers; none where the answers mean the same or as many people say the reverse."""
    groups: dict[frozenset[str], list[Preference]] = {}
    for each in preferences:
        if each.chosen.strip() and each.rejected.strip():
            groups.setdefault(frozenset(each.direction), []).append(each)
    found = [_one(group) for about, group in groups.items() if len(about) == 2]
    return [each for each in found if each]


def _one(group: list[Preference]) -> Preference | None:
    """The preference of a group about the same two answers."""
    top = max(AUTHORITY.get(each.source, 0) for each in group)
    leading = next(each for each in group if AUTHORITY.get(each.source, 0) == top)
    forward = [each if each.direction == leading.direction else each.turned() for each in group]
    balance = sum(each.votes - each.against for each in forward if AUTHORITY.get(each.source, 0) == top)
    if balance == 0:
        return None
    right_way = forward if balance > 0 else [each.turned() for each in forward]
    first = leading if balance > 0 else leading.turned()
    signed = joined(each.decided_by for each in right_way if each.votes > each.against)
    votes, against = (sum(getattr(each, name) for each in right_way) for name in ("votes", "against"))
    return Preference(first.chosen, first.rejected, leading.source, votes, against, signed)
