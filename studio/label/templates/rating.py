"""How good is the answer, by one criterion or several?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.errors import InvalidInput
from studio.label.backend import Question, QuestionKind
from studio.label.templates.base import Plain, choices, question_name

MOST_CRITERIA = 10


class Rate(Plain):
    """A rubric. Option `criteria`: what is rated, each 1 to 5; none asks how good the answer is overall."""

    title = "Rate"
    caption = "One to five for each criterion. Measures quality; it changes no outputs."
    guidelines = (
        "Read the conversation and the answer. Rate the answer from 1 (poor) to 5 (excellent). "
        "Rate each criterion on its own: an answer can be polite and wrong."
    )

    def questions(self, options: Mapping[str, Any]) -> tuple[Question, ...]:
        """One rating per criterion."""
        criteria = choices(options, "criteria")
        if len(criteria) > MOST_CRITERIA:
            raise InvalidInput(f"Rate by up to {MOST_CRITERIA} criteria; {len(criteria)} are given.")
        if not criteria:
            return (Question("rating", "How good is it? (1 poor, 5 excellent)", QuestionKind.RATING),)
        found: list[Question] = []
        for criterion in criteria:
            name = question_name(criterion, (each.name for each in found))
            found.append(Question(name, f"{criterion} (1 poor, 5 excellent)", QuestionKind.RATING))
        return tuple(found)
