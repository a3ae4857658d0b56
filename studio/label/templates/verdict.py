"""Is the answer right, and if not, what is?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.label.backend import Question, QuestionKind
from studio.label.resolve import same_answer
from studio.label.templates.base import NOTHING_ELSE, Asked, Effect, Plain, choices

CORRECT, WRONG, UNSURE = "correct", "wrong", "unsure"
REASONS = ("wrong fact", "something is missing", "wrong format", "off topic", "rude or unsafe")


class Verdict(Plain):
    """Verdict, corrected output, reasons and a rating. Option `reasons`: the reasons to choose from; none asks none."""

    title = "Check and correct"
    caption = "Is the answer right? If not, correct it. Corrections become the outputs that models learn."
    guidelines = (
        "Read the conversation, then the model's answer.\n\n"
        "1. **Verdict**: *correct* if you would send this answer as it is, *wrong* if not, "
        "*unsure* if you cannot tell.\n"
        "2. **Correct answer**: the model's answer is filled in. Change it until it is right; leave it when it is.\n"
        "3. **What is wrong** and **rating** are optional.\n\n"
        "Keep the format of the answer exactly (JSON stays JSON)."
    )
    decides = True
    effect: Effect = "verified"

    def questions(self, options: Mapping[str, Any]) -> tuple[Question, ...]:
        """Verdict, corrected answer, reasons, rating."""
        reasons = choices(options, "reasons", REASONS)
        asked = Question("reasons", "What is wrong with it?", QuestionKind.MULTI_LABEL, reasons, required=False)
        return (
            Question("verdict", "Is the answer correct?", QuestionKind.LABEL, (CORRECT, WRONG, UNSURE)),
            Question("output", "Correct answer", QuestionKind.TEXT, description="Change it only if it is wrong."),
            *((asked,) if len(reasons) > 1 else ()),
            Question("rating", "How good is it? (1 poor, 5 excellent)", QuestionKind.RATING, required=False),
        )

    def suggestions(self, shown: str) -> dict[str, Any]:
        """The model's answer, to be corrected."""
        return {"output": shown} if shown.strip() else {}

    def output(self, answers: Mapping[str, Any], shown: str, asked: Asked = NOTHING_ELSE) -> str | None:
        """The text they left; none when unsure, or when it is wrong and they did not say what is right."""
        given = str(answers.get("output") or "").strip()
        if answers.get("verdict") == UNSURE:
            return None
        if answers.get("verdict") == WRONG and same_answer(given or shown) == same_answer(shown):
            return None
        return given or shown
