"""What every question template can say; most of it has an answer that suits templates which only measure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from studio.errors import InvalidInput
from studio.label.backend import Question, QuestionKind
from studio.label.resolve import Decision, Opinion, decide

Scale = Literal["nominal", "ordinal", "interval", "masi", "ranking", "spans"]
Effect = Literal["verified", "preferred", "none"]
Given = Sequence[tuple[str, Mapping[str, Any]]]
"""Everybody's answers to one item: the person, and question name → value."""

SCALES: dict[QuestionKind, Scale] = {
    QuestionKind.LABEL: "nominal",
    QuestionKind.MULTI_LABEL: "masi",
    QuestionKind.RATING: "ordinal",
    QuestionKind.RANKING: "ranking",
    QuestionKind.SPAN: "spans",
    QuestionKind.TEXT: "nominal",
}
MOST_CHOICES = 250
LONGEST_CHOICE = 200


@dataclass(frozen=True)
class Asked:
    """What an answer is about beside the shown output: the task's options and the item's candidates."""

    options: Mapping[str, Any] = field(default_factory=dict)
    candidates: Sequence[Mapping[str, Any]] = ()


NOTHING_ELSE = Asked()


class Template(Protocol):
    """One way to ask."""

    title: str
    caption: str
    guidelines: str
    decides: bool
    """Whether there is anything to apply: outputs, preference pairs or agreed marks."""
    effect: Effect
    """What an applied decision does to the example: verifies its output, prefers an output, or leaves it alone."""
    needs_candidates: bool
    """Whether an item shows several answers."""

    def questions(self, options: Mapping[str, Any]) -> tuple[Question, ...]:
        """The questions of a task with these options. Raises InvalidInput for options that cannot work."""
        ...

    def suggestions(self, shown: str) -> dict[str, Any]:
        """What is filled in beforehand."""
        ...

    def output(self, answers: Mapping[str, Any], shown: str, asked: Asked = NOTHING_ELSE) -> str | None:
        """The output the answer stands by, or None when it stands by none."""
        ...

    def decision(self, given: Given, shown: str, asked: Asked = NOTHING_ELSE) -> Decision:
        """What everybody's answers to one item come to."""
        ...

    def preferences(self, answers: Mapping[str, Any], candidates: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
        """(better, worse) names of candidates, for each two that the answer tells apart."""
        ...


class Plain:
    """Fills in nothing, stands by no output, prefers nothing."""

    decides = False
    effect: Effect = "none"
    needs_candidates = False

    def suggestions(self, shown: str) -> dict[str, Any]:
        """Nothing: a suggestion would sway people."""
        return {}

    def output(self, answers: Mapping[str, Any], shown: str, asked: Asked = NOTHING_ELSE) -> str | None:
        """None: the answer says nothing about the output."""
        return None

    def decision(self, given: Given, shown: str, asked: Asked = NOTHING_ELSE) -> Decision:
        """The output that more than half stand by."""
        return decide([Opinion(who, self.output(answers, shown, asked)) for who, answers in given], shown)

    def preferences(self, answers: Mapping[str, Any], candidates: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
        """None."""
        return []


def scales_of(questions: Iterable[Question]) -> dict[str, Scale]:
    """Level of measurement by question, for agreement."""
    return {each.name: SCALES[each.kind] for each in questions}


def choices(options: Mapping[str, Any], key: str, default: Sequence[str] = ()) -> tuple[str, ...]:
    """The texts under `key`, trimmed, each once. Raises InvalidInput for what is no list of short texts."""
    return clean(options.get(key, default), f"The option {key!r}")


def clean(found: Any, what: str) -> tuple[str, ...]:
    """A list of texts, trimmed, each once; `what` names it in the error."""
    if isinstance(found, str | bytes | Mapping) or not isinstance(found, Iterable):
        raise InvalidInput(f"{what} must be a list of texts.")
    texts = list(found)
    if any(not isinstance(each, str) for each in texts):
        raise InvalidInput(f"{what} must be a list of texts.")
    kept = tuple(dict.fromkeys(each.strip() for each in texts if each.strip()))
    if len(kept) > MOST_CHOICES or any(len(each) > LONGEST_CHOICE for each in kept):
        raise InvalidInput(f"{what} may hold up to {MOST_CHOICES} texts of up to {LONGEST_CHOICE} characters.")
    return kept


def question_name(title: str, taken: Iterable[str] = ()) -> str:
    """A name of a-z, 0-9 and _ made of a title; numbered where it is taken."""
    slug = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:60] or "question"
    used, number = set(taken), 2
    name = slug
    while name in used:
        name, number = f"{slug}_{number}", number + 1
    return name
