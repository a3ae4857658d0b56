"""Which of a few labels is right, or which several?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from studio.errors import InvalidInput
from studio.label.backend import Question, QuestionKind
from studio.label.resolve import Decision, majority, settle
from studio.label.templates.base import NOTHING_ELSE, Asked, Effect, Given, Plain, choices

LABEL = "label"


class PickLabel(Plain):
    """Options: `labels` to choose from, `multi` for several at once, `field` of a JSON answer that the label fills."""

    title = "Pick a label"
    caption = "One label per item, or several. The label becomes the output."
    guidelines = "Read the conversation and pick the label that fits best."
    decides = True
    effect: Effect = "verified"

    def questions(self, options: Mapping[str, Any]) -> tuple[Question, ...]:
        """One question with the given labels."""
        found = choices(options, "labels")
        if len(found) < 2:
            raise InvalidInput("Give at least two labels to choose from.")
        if options.get("multi"):
            return (Question(LABEL, "Which labels fit?", QuestionKind.MULTI_LABEL, found),)
        return (Question(LABEL, "Which label fits?", QuestionKind.LABEL, found),)

    def output(self, answers: Mapping[str, Any], shown: str, asked: Asked = NOTHING_ELSE) -> str | None:
        """The label; several as a JSON list; inside the shown answer where they fill one of its fields."""
        picked = answers.get(LABEL)
        if picked is None or picked == "":
            return None
        return _written(picked, shown, asked.options)

    def decision(self, given: Given, shown: str, asked: Asked = NOTHING_ELSE) -> Decision:
        """The label that more than half picked; of several, each label by its own majority."""
        if not asked.options.get("multi"):
            return super().decision(given, shown, asked)
        found = majority([frozenset(answers.get(LABEL) or ()) for _who, answers in given])
        output = _written(list(found.chosen), shown, asked.options) if found else None
        return settle(shown, output, found.rule) if found and output is not None else Decision("disputed")


def _written(picked: str | Sequence[str], shown: str, options: Mapping[str, Any]) -> str | None:
    order = {label: at for at, label in enumerate(options.get("labels") or ())}
    value: Any = picked if isinstance(picked, str) else sorted(picked, key=lambda each: order.get(each, len(order)))
    field = options.get("field")
    if not field:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _filled(shown, str(field), value)


def _filled(shown: str, field: str, value: Any) -> str | None:
    """The shown JSON object with this field replaced; None where the shown answer is no object."""
    try:
        found = json.loads(shown)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    if isinstance(value, str) and field in found and not isinstance(found[field], str):
        value = _typed(value)
    return json.dumps({**found, field: value}, ensure_ascii=False)


def _typed(label: str) -> Any:
    """A label of a field that holds no text: true, 3, null."""
    try:
        return json.loads(label)
    except ValueError:
        return label
