"""The parts of the Review page: one disputed example, everybody's answer side by side, keys 1 to 9 to choose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from storage.tables import Annotation
from studio.access.actor import Actor, Role
from studio.label.publishing import shown_messages
from studio.label.resolve import same_answer
from studio.label.resolving import Dispute
from studio.ui.formats import plain
from studio.ui.label.shown import conversation
from studio.ui.state import current_studio, reported_errors

AT = "review_at"
MOST_CHOICES = 9
LONG = 1200


def current_dispute(disputes: list[Dispute]) -> Dispute:
    """The one on screen: skipping moves on and comes round again."""
    at = int(st.session_state.get(AT, 0))
    return disputes[at % len(disputes)]


def show_dispute(dispute: Dispute, left: int, actor: Actor) -> None:
    """The example, the answers, and the ways to decide."""
    st.caption(f"{left:,} left to decide")
    is_long = sum(len(str(message.get("content"))) for message in dispute.example.messages) > LONG
    with st.container(border=True, height=260 if is_long else "content"):
        conversation(shown_messages(dispute.example.messages))
    choices = _choices(dispute)
    for column, (number, (title, output, note)) in zip(
        st.columns(len(choices)), enumerate(choices, start=1), strict=True
    ):
        with column, st.container(border=True):
            _choice(dispute, number, title, output, note, actor)
    _other_ways(dispute, actor)


def _choices(dispute: Dispute) -> list[tuple[str, str | None, str]]:
    """(whose, output, what they said) of each person, then the model's own answer."""
    said = [(each.annotator, output, _note(each)) for each, output in dispute.answers]
    return [*said[: MOST_CHOICES - 1], ("the model", dispute.shown_output, "what everybody was shown")]


def _note(annotation: Annotation) -> str:
    answers = annotation.answers
    parts = [str(answers["verdict"])] if answers.get("verdict") else []
    parts += [f"rated {answers['rating']} of 5"] if answers.get("rating") else []
    return ", ".join(parts)


def _choice(dispute: Dispute, number: int, title: str, output: str | None, note: str, actor: Actor) -> None:
    st.markdown(f"**{plain(title)}**")
    st.caption(plain(note) or "no verdict")
    if output is None:
        st.caption("Gave no answer of their own.")
        return
    same = same_answer(output) == same_answer(dispute.shown_output) and title != "the model"
    st.code(output, language="json" if output.lstrip().startswith("{") else None, wrap_lines=True)
    st.caption("same as the model's" if same else "")
    if st.button("Use this", key=f"use_{number}", shortcut=str(number), width="stretch", disabled=_may_not(actor)):
        _decide(lambda labeling: labeling.decide(actor, dispute.item_id, output))


def _other_ways(dispute: Dispute, actor: Actor) -> None:
    given = [output for _each, output in dispute.answers if output is not None]
    with st.container(horizontal=True, gap="small"):
        if st.button("Skip", key="skip", shortcut="S", icon=":material/skip_next:"):
            st.session_state[AT] = st.session_state.get(AT, 0) + 1
            st.rerun()
        if st.button("Leave it out", key="leave_out", shortcut="X", icon=":material/block:", disabled=_may_not(actor)):
            _decide(lambda labeling: labeling.leave_out(actor, dispute.item_id))
    start = given[0] if given else dispute.shown_output
    written = st.text_area("Or write the right answer", start, key=f"written_{dispute.item_id}", height=120)
    if st.button("Save this answer", type="primary", icon=":material/check:", disabled=_may_not(actor)):
        _decide(lambda labeling: labeling.decide(actor, dispute.item_id, written))


def _decide(verb: Callable[[Any], object]) -> None:
    with reported_errors():
        verb(current_studio().labeling)
        st.rerun()


def _may_not(actor: Actor) -> bool:
    return not actor.can(Role.EDITOR)
