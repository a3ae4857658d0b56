"""One example as teammates see it in Argilla: the conversation, the answer or answers, and the questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from studio.label.backend import Item, Question, QuestionKind
from studio.ui.formats import plain

TALL = 220
LONG = 600


def conversation(messages: Sequence[dict[str, str]]) -> None:
    """The prompt as plain text, whatever is in it."""
    for message in messages:
        st.caption(plain(message["role"]))
        st.text(message["content"])


def as_shown(item: Item, questions: Sequence[Question], key: str) -> None:
    """The item with everything that is filled in beforehand."""
    with _room(sum(len(message["content"]) for message in item.messages)):
        conversation(item.messages)
    if item.answers:
        _side_by_side(item.answers)
    else:
        st.caption("The answer")
        st.code(item.answer, language=None, wrap_lines=True)
    for question in questions:
        _question(question, item.suggestions.get(question.name), key)
    if item.suggestions and item.suggested_by:
        st.caption(f"Filled in beforehand by {plain(item.suggested_by)}")


def _room(length: int) -> Any:
    return st.container(border=True, height=TALL if length > LONG else "content")


def _side_by_side(answers: dict[str, str]) -> None:
    for column, (name, text) in zip(st.columns(len(answers)), answers.items(), strict=True):
        with column:
            st.caption(f"Answer {name}")
            st.code(text, language=None, wrap_lines=True)


def _question(question: Question, filled: Any, key: str) -> None:
    label = plain(question.title) + ("" if question.required else " (optional)")
    key = f"{key}_{question.name}"
    if question.kind is QuestionKind.TEXT:
        st.text_area(label, str(filled or ""), disabled=True, key=f"{key}_{hash(str(filled))}", help=_help(question))
    else:
        several = question.kind is QuestionKind.MULTI_LABEL
        st.pills(
            label,
            choices(question),
            selection_mode="multi" if several else "single",
            default=filled if filled in choices(question) or several else None,
            disabled=True,
            key=key,
            help=_help(question),
        )


def choices(question: Question) -> list[str]:
    """What may be picked, as the buttons read."""
    if question.kind is QuestionKind.RATING:
        return [str(value) for value in question.ratings]
    return list(question.options)


def _help(question: Question) -> str | None:
    return plain(question.description) or None
