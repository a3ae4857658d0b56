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


def as_shown(item: Item, questions: Sequence[Question]) -> None:
    """The item with everything that is filled in beforehand."""
    with _room(sum(len(message["content"]) for message in item.messages)):
        conversation(item.messages)
    if item.answers:
        _side_by_side(item.answers)
    else:
        st.caption("The answer")
        st.code(item.answer, language=None, wrap_lines=True)
    for question in questions:
        _question(question, item.suggestions.get(question.name))
    if item.suggestions and item.suggested_by:
        st.caption(f"Filled in beforehand by {plain(item.suggested_by)}")


def _room(length: int) -> Any:
    return st.container(border=True, height=TALL if length > LONG else "content")


def _side_by_side(answers: dict[str, str]) -> None:
    for column, (name, text) in zip(st.columns(len(answers)), answers.items(), strict=True):
        with column:
            st.caption(f"Answer {name}")
            st.code(text, language=None, wrap_lines=True)


def _question(question: Question, filled: Any) -> None:
    needed = " :red[\\*]" if question.required else " :gray[optional]"
    st.markdown(f"**{plain(question.title)}**{needed}", help=plain(question.description) or None)
    if question.kind is QuestionKind.TEXT:
        st.code(str(filled or " "), language=None, wrap_lines=True)
        return
    picked = filled if isinstance(filled, list) else [filled]
    st.markdown(" ".join(_badge(each, each in picked) for each in choices(question)))


def _badge(choice: str, picked: bool) -> str:
    return f":{'violet' if picked else 'gray'}-badge[{plain(choice)}]"


def choices(question: Question) -> list[str]:
    """What may be picked, as the buttons read."""
    if question.kind is QuestionKind.RATING:
        return [str(value) for value in question.ratings]
    return list(question.options)
