"""What is filled in beforehand, as Argilla takes it; what it would refuse is left out, so the record still goes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from studio.label.argilla_text import from_browser, plain, to_browser
from studio.label.backend import Item, Question, QuestionKind

NOT_IN_AGENT = re.compile(r"[^a-zA-Z0-9\-_:./ ]+")


def suggestions(item: Item, questions: Mapping[str, tuple[Question, str]]) -> list[dict[str, Any]]:
    """The item's suggestions; `questions` holds each question with Argilla's id of it."""
    known = [(*questions[name], value) for name, value in item.suggestions.items() if name in questions]
    return [_suggestion(item, *each) for each in known if fits(each[0], each[2], item.answer)]


def fits(question: Question, value: Any, answer: str) -> bool:
    """Whether the value is an answer to the question."""
    if question.kind is QuestionKind.TEXT:
        return isinstance(value, str)
    if question.kind is QuestionKind.LABEL:
        return value in question.options
    if question.kind is QuestionKind.RATING:
        return type(value) is int and value in question.ratings
    if not isinstance(value, list) or not value:
        return False
    if question.kind is QuestionKind.MULTI_LABEL:
        return len(set(value)) == len(value) and set(value) <= set(question.options)
    if question.kind is QuestionKind.RANKING:
        return {each["value"] for each in value} <= set(question.options)
    return all(each["label"] in question.options and 0 <= each["start"] < each["end"] <= len(answer) for each in value)


def spans_for_browser(text: str, spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Spans with their offsets as the browser counts."""
    return [{**each, "start": to_browser(text, each["start"]), "end": to_browser(text, each["end"])} for each in spans]


def spans_from_browser(shown: str, spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Spans with their offsets in characters of the text that was escaped to `shown`."""
    text = plain(shown)
    return [
        {"start": from_browser(text, each["start"]), "end": from_browser(text, each["end"]), "label": each["label"]}
        for each in spans
    ]


def _suggestion(item: Item, question: Question, question_id: str, value: Any) -> dict[str, Any]:
    agent = NOT_IN_AGENT.sub("-", item.suggested_by)[:200].strip("- ")
    score = item.scores.get(question.name)
    return {
        "question_id": question_id,
        "value": spans_for_browser(item.answer, value) if question.kind is QuestionKind.SPAN else value,
        "type": "model",
        **({"agent": agent} if any(each.isalnum() for each in agent) else {}),
        **({"score": min(max(score, 0.0), 1.0)} if score is not None else {}),
    }
