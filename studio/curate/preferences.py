"""What people's preferences about one prompt's answers come to: contradictions settled, duplicates made one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from storage.tables import PreferencePair
from studio.curate.decisions import joined
from studio.curate.outputs import same_answer

REVIEW = "review"
AUTHORITY = {"ranking": 0, REVIEW: 1}
"""Where people compared the same two answers twice, the higher source counts."""
CORRECTION = "correction"
"""Source of what follows from the output that stands today; it outranks every comparison that says the reverse."""
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

    @property
    def weight(self) -> int:
        """How much it says for its direction: a review was decided, however people had voted before."""
        return 1 if self.source == REVIEW else self.votes - self.against

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
    return Preference(output, original, CORRECTION, votes, 0, decided_by)


def settled(preferences: Sequence[Preference]) -> list[Preference]:
    """One preference for each two answers; none where the answers mean the same or as many people say the reverse."""
    groups: dict[frozenset[str], list[Preference]] = {}
    for each in preferences:
        if each.chosen.strip() and each.rejected.strip():
            groups.setdefault(frozenset(each.direction), []).append(each)
    found = [_one(group) for about, group in groups.items() if len(about) == 2]
    return [each for each in found if each]


def _one(group: list[Preference]) -> Preference | None:
    """What a group about the same two answers comes to: the highest source speaks alone.

    A correction only says which answer stands; where people also compared the two, that comparison is what is told.
    """
    standing = next((each for each in group if each.source == CORRECTION), None)
    stated = [each for each in group if each.source != CORRECTION]
    if standing is None:
        return _sum(_highest(stated))
    agreeing = [each for each in stated if each.direction == standing.direction and each.weight > 0]
    found = _sum(_highest(agreeing)) if agreeing else None
    return replace(found, decided_by=joined([found.decided_by, standing.decided_by])) if found else standing


def _highest(stated: list[Preference]) -> list[Preference]:
    top = max(AUTHORITY.get(each.source, 0) for each in stated)
    return [each for each in stated if AUTHORITY.get(each.source, 0) == top]


def _sum(stated: list[Preference]) -> Preference | None:
    """Everybody's votes together, told the way that has the most weight; None for a draw."""
    signed = [(each, 1 if each.direction == stated[0].direction else -1) for each in stated]
    balance = sum(sign * each.weight for each, sign in signed)
    if balance == 0:
        return None
    way = 1 if balance > 0 else -1
    told = [each if sign == way else each.turned() for each, sign in signed]
    names = joined(each.decided_by for each, sign in signed if sign * way * each.weight > 0)
    votes, against = sum(each.votes for each in told), sum(each.against for each in told)
    return Preference(told[0].chosen, told[0].rejected, stated[0].source, votes, against, names)
