"""Question templates: what is asked about each item, and how an answer reads as an output.

A new template is one class and one row in TEMPLATES.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from studio.errors import InvalidInput
from studio.label.backend import Question, QuestionKind
from studio.label.resolve import same_answer

CORRECT, WRONG, UNSURE = "correct", "wrong", "unsure"
RATING = Question("rating", "How good is it? (1 poor, 5 excellent)", QuestionKind.RATING, required=False)


class Template(Protocol):
    """One way to ask. `scales` names the level of measurement per question, for agreement."""

    title: str
    caption: str
    guidelines: str
    scales: dict[str, str]
    decides: bool
    """Whether answers stand by outputs that can be applied."""

    def questions(self, labels: Sequence[str]) -> tuple[Question, ...]:
        """The questions; `labels` are the choices where the template needs them."""
        ...

    def suggestions(self, shown: str) -> dict[str, Any]:
        """What is filled in beforehand."""
        ...

    def output(self, answers: dict[str, Any], shown: str) -> str | None:
        """The output the answer stands by, or None when it stands by none."""
        ...


class Verdict:
    """Is the answer right, and if not, what is?"""

    title = "Check and correct"
    caption = "Is the answer right? If not, correct it. Corrections become the outputs that models learn."
    guidelines = (
        "Read the conversation, then the model's answer.\n\n"
        "1. **Verdict**: *correct* if you would send this answer as it is, *wrong* if not, "
        "*unsure* if you cannot tell.\n"
        "2. **Correct answer**: the model's answer is filled in. Change it until it is right; leave it when it is.\n"
        "3. **Rating** is optional.\n\n"
        "Keep the format of the answer exactly (JSON stays JSON)."
    )
    scales = {"verdict": "nominal", "output": "nominal", "rating": "ordinal"}
    decides = True

    def questions(self, labels: Sequence[str]) -> tuple[Question, ...]:
        """Verdict, corrected answer, rating."""
        return (
            Question("verdict", "Is the answer correct?", QuestionKind.LABEL, (CORRECT, WRONG, UNSURE)),
            Question("output", "Correct answer", QuestionKind.TEXT, description="Change it only if it is wrong."),
            RATING,
        )

    def suggestions(self, shown: str) -> dict[str, Any]:
        """The model's answer, to be corrected."""
        return {"output": shown} if shown.strip() else {}

    def output(self, answers: dict[str, Any], shown: str) -> str | None:
        """The text they left; none when unsure, or when it is wrong and they did not say what is right."""
        given = str(answers.get("output") or "").strip()
        if answers.get("verdict") == UNSURE:
            return None
        if answers.get("verdict") == WRONG and same_answer(given or shown) == same_answer(shown):
            return None
        return given or shown


class PickLabel:
    """Which of a few labels is right? For classification."""

    title = "Pick a label"
    caption = "One label per item. The label becomes the output."
    guidelines = "Read the conversation and pick the label that fits best."
    scales = {"label": "nominal"}
    decides = True

    def questions(self, labels: Sequence[str]) -> tuple[Question, ...]:
        """One question with the given labels."""
        found = tuple(dict.fromkeys(label.strip() for label in labels if label.strip()))
        if len(found) < 2:
            raise InvalidInput("Give at least two labels to choose from.")
        return (Question("label", "Which label fits?", QuestionKind.LABEL, found),)

    def suggestions(self, shown: str) -> dict[str, Any]:
        """Nothing: a suggestion would sway the pick."""
        return {}

    def output(self, answers: dict[str, Any], shown: str) -> str | None:
        """The label."""
        return str(answers["label"]) if answers.get("label") else None


class Rate:
    """How good is the answer? Changes no outputs."""

    title = "Rate"
    caption = "One to five stars. Measures quality; it changes no outputs."
    guidelines = "Read the conversation and the answer. Rate the answer from 1 (poor) to 5 (excellent)."
    scales = {"rating": "ordinal"}
    decides = False

    def questions(self, labels: Sequence[str]) -> tuple[Question, ...]:
        """The rating."""
        return (Question("rating", RATING.title, QuestionKind.RATING),)

    def suggestions(self, shown: str) -> dict[str, Any]:
        """Nothing."""
        return {}

    def output(self, answers: dict[str, Any], shown: str) -> str | None:
        """A rating says nothing about the output."""
        return None


TEMPLATES: dict[str, Template] = {"verdict": Verdict(), "pick_label": PickLabel(), "rating": Rate()}


def template(name: str) -> Template:
    """The template of this name. Raises InvalidInput for one there is not."""
    if name not in TEMPLATES:
        raise InvalidInput(f"There is no question template {name!r}. Choose one of: {', '.join(TEMPLATES)}.")
    return TEMPLATES[name]
