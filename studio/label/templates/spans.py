"""Which passages of the answer are what? Personal data, claims without support, mistakes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from studio.errors import InvalidInput
from studio.label.backend import Question, QuestionKind
from studio.label.resolve import Decision, majority
from studio.label.templates.base import NOTHING_ELSE, Asked, Given, Plain, choices

FOUND, SPANS = "found", "spans"
YES, NOTHING = "yes", "nothing"


class Spans(Plain):
    """Marks on the answer. Option `labels`: the kinds of passage."""

    title = "Mark the spans"
    caption = "People mark passages of the answer, such as personal data. It changes no outputs."
    guidelines = (
        "Read the conversation, then the answer. Choose a kind and mark every passage of the answer that is one. "
        "Mark whole words. Say so where there is nothing to mark."
    )
    decides = True

    def questions(self, options: Mapping[str, Any]) -> tuple[Question, ...]:
        """Whether there is anything to mark, and the marks: a platform takes no task without a required question."""
        kinds = choices(options, "labels")
        if not kinds:
            raise InvalidInput("Give at least one kind of passage to mark.")
        return (
            Question(FOUND, "Is there anything to mark?", QuestionKind.LABEL, (YES, NOTHING)),
            Question(SPANS, "Mark the passages", QuestionKind.SPAN, kinds, required=False),
        )

    def decision(self, given: Given, shown: str, asked: Asked = NOTHING_ELSE) -> Decision:
        """The very spans that more than half marked, as JSON; disputed where people marked but on none they agree."""
        found = majority([_marks(answers) for _who, answers in given])
        if found is None:
            return Decision("disputed")
        marks = [{"start": start, "end": end, "label": label} for start, end, label in sorted(found.chosen)]
        return Decision("marked", json.dumps(marks, ensure_ascii=False), found.rule)


def _marks(answers: Mapping[str, Any]) -> frozenset[tuple[int, int, str]]:
    """What the answer marks; a person who says that there is nothing marks nothing."""
    return frozenset() if answers.get(FOUND) == NOTHING else spans_in(answers.get(SPANS))


def spans_in(value: Any) -> frozenset[tuple[int, int, str]]:
    """A span answer as a set of (start, end, label)."""
    return frozenset((int(each["start"]), int(each["end"]), str(each["label"])) for each in value or ())
