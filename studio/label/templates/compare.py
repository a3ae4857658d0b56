"""Which of two or three answers is better? Blind to who wrote them; the order differs from person to person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from studio.errors import InvalidInput
from studio.label.backend import Question, QuestionKind
from studio.label.resolve import Decision, settle
from studio.label.shuffle import SHOWN_NAMES
from studio.label.templates.base import NOTHING_ELSE, Asked, Effect, Given, Plain

RANKING = "ranking"
FEWEST, MOST = 2, 3


@dataclass(frozen=True)
class Preferred:
    """More people prefer `better` to `worse` than the other way round; those who tie them count for neither."""

    better: str
    worse: str
    votes: int
    against: int
    people: tuple[str, ...]
    """Who prefers it."""


class Compare(Plain):
    """A ranking, ties allowed. Option `answers`: how many are shown, 2 or 3."""

    title = "Which is better?"
    caption = "People rank two or three answers without knowing who wrote them. Makes preference pairs."
    guidelines = (
        "Read the conversation, then the answers. Put the best answer first. "
        "Answers that are equally good may share a place.\n\n"
        "The order of the answers means nothing; it differs from person to person."
    )
    decides = True
    effect: Effect = "preferred"
    needs_candidates = True

    def questions(self, options: Mapping[str, Any]) -> tuple[Question, ...]:
        """The ranking of the shown answers."""
        count = options.get("answers", FEWEST)
        if isinstance(count, bool) or count not in (FEWEST, MOST):
            raise InvalidInput(f"Compare {FEWEST} or {MOST} answers.")
        names = SHOWN_NAMES[:count]
        return (Question(RANKING, "Which answer is better? Put the best first.", QuestionKind.RANKING, names),)

    def output(self, answers: Mapping[str, Any], shown: str, asked: Asked = NOTHING_ELSE) -> str | None:
        """The one answer ranked first; none when several share that place."""
        ranks = _ranks(answers, asked.candidates)
        first = [name for name, rank in ranks.items() if rank == min(ranks.values())]
        return _outputs(asked.candidates)[first[0]] if len(first) == 1 else None

    def decision(self, given: Given, shown: str, asked: Asked = NOTHING_ELSE) -> Decision:
        """The answer that more than half of the people prefer to each of the others."""
        votes = _votes(given, asked.candidates)
        outputs = _outputs(asked.candidates)
        for name, output in outputs.items():
            most = [len(votes[name, other]) for other in outputs if other != name]
            if most and 2 * min(most) > len(given):
                return settle(shown, output, _rule(min(most), len(given)))
        split = any(votes[pair] and votes[pair[::-1]] for pair in permutations(outputs, 2))
        return Decision("disputed" if split else "tied")

    def preferences(self, answers: Mapping[str, Any], candidates: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
        """Each two candidates with different places; one that was not ranked says nothing."""
        ranks = _ranks(answers, candidates)
        return [(one, other) for one, other in permutations(ranks, 2) if ranks[one] < ranks[other]]


def preferred(given: Given, candidates: Sequence[Mapping[str, Any]]) -> list[Preferred]:
    """What the majority prefers, pair by pair; a pair with as many votes each way is in none."""
    votes = _votes(given, candidates)
    found = [
        Preferred(*pair, len(people), len(votes[pair[::-1]]), tuple(people))
        for pair, people in votes.items()
        if len(people) > len(votes[pair[::-1]])
    ]
    return sorted(found, key=lambda each: (each.better, each.worse))


def _votes(given: Given, candidates: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], list[str]]:
    """Who prefers the first to the second, for each ordered pair of candidates."""
    names = [str(each["name"]) for each in candidates]
    votes: dict[tuple[str, str], list[str]] = {pair: [] for pair in permutations(names, 2)}
    for who, answers in given:
        for pair in Compare().preferences(answers, candidates):
            votes[pair].append(who)
    return votes


def _ranks(answers: Mapping[str, Any], candidates: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    known = Counter(str(each["name"]) for each in candidates)
    places = answers.get(RANKING) or []
    return {str(each["value"]): int(each["rank"]) for each in places if known[str(each["value"])]}


def _outputs(candidates: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {str(each["name"]): str(each["output"]) for each in candidates}


def _rule(votes: int, people: int) -> str:
    if people == 1:
        return "single"
    return "agreement" if votes == people else "majority"
