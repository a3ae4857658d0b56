"""One example in a drawer: the conversation, its answer to correct, and whether it is in."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from storage.tables import Example
from studio.access.actor import Role
from studio.curate.decisions import PastDecision
from studio.ui.formats import ago, plain
from studio.ui.state import current_actor, current_studio, reported_errors

SHOWN = "example_shown"
RULES = {
    "agreement": "all agreed",
    "majority": "by majority",
    "single": "one person asked",
    "review": "in a review session",
    "by_hand": "by hand",
}
"""What the rule of a decision is called."""


def example_drawer(example_id: str | None) -> None:
    """Open the drawer once for a newly chosen row."""
    if example_id is None:
        st.session_state.pop(SHOWN, None)
    elif st.session_state.get(SHOWN) != example_id:
        st.session_state[SHOWN] = example_id
        _drawer(example_id)


@st.dialog("Example", width="medium", position="right")
def _drawer(example_id: str) -> None:
    with reported_errors():
        example = current_studio().datasets.example(example_id)
        _facts(example)
        for message in example.messages:
            st.caption(plain(str(message.get("role", ""))))
            st.code(as_text(message.get("content")), language=None, wrap_lines=True)
        if example.tools:
            with st.expander(f"{len(example.tools)} tools offered"):
                st.json(example.tools, expanded=False)
        _answer(example)
        _history(example)


def _facts(example: Example) -> None:
    with st.container(horizontal=True, gap="small"):
        st.badge(example.split, color="blue" if example.split == "golden" else "gray")
        st.badge("verified" if example.verified else "unverified", color="green" if example.verified else "gray")
        if example.rating:
            st.badge(f"thumbs {example.rating}", color="green" if example.rating == "up" else "red")
        if example.excluded:
            st.badge(f"left out: {plain(example.excluded)}", color="orange")


def _answer(example: Example) -> None:
    actor = current_actor()
    text = st.text_area(
        f"Answer (from {example.output_source})",
        example.output,
        height=160,
        disabled=not actor.can(Role.LABELER),
        key=f"answer_{example.id}",
    )
    if example.original_output != example.output:
        with st.expander("What the model had answered"):
            st.code(example.original_output, language=None, wrap_lines=True)
    with st.container(horizontal=True, gap="small"):
        if actor.can(Role.LABELER):
            changed = text != example.output
            label = "Save correction" if changed else "Confirm answer"
            if st.button(label, type="primary", key="save_answer", disabled=not changed and example.verified):
                _do(lambda: current_studio().datasets.set_output(actor, example.id, text, _source(example, changed)))
        if actor.can(Role.EDITOR):
            _in_or_out(example)


def _history(example: Example) -> None:
    """Every decision about the answer with the names on it."""
    decisions = current_studio().datasets.history(example.id)
    if not decisions:
        return
    with st.expander(f"How it was decided ({len(decisions)})", icon=":material/how_to_vote:"):
        for each in decisions:
            st.markdown(decision_line(each))
            if each.output and each.output != example.output:
                st.code(each.output, language=None, wrap_lines=True)


def decision_line(decision: PastDecision) -> str:
    """What was decided, by whom, by which rule, where and when; in Markdown, names as text."""
    by = f" by {plain(decision.decided_by)}" if decision.decided_by else ""
    rule = RULES.get(decision.rule, decision.rule)
    where = f" · {plain(decision.where)}" if decision.where else ""
    stands = " · **stands**" if decision.stands else ""
    what = plain(decision.verdict.replace("_", " ").capitalize())
    return f"{what}{by}{f' ({plain(rule)})' if rule else ''}{where} · {ago(decision.at)}{stands}"


def _in_or_out(example: Example) -> None:
    datasets, actor = current_studio().datasets, current_actor()
    if example.excluded and st.button("Take back in", icon=":material/undo:", key="include_example"):
        _do(lambda: datasets.include(actor, [example.id]))
    if not example.excluded and st.button("Leave out", icon=":material/block:", key="exclude_example"):
        _do(lambda: datasets.exclude(actor, [example.id]))


def _source(example: Example, changed: bool) -> str:
    """A confirmed answer is still the model's; a changed one is people's."""
    return "people" if changed else example.output_source


def _do(verb: Any) -> None:
    with reported_errors():
        verb()
        st.toast("Saved", icon=":material/check:")
        st.rerun()


def as_text(content: Any) -> str:
    """Message content as text, whatever its shape."""
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, indent=1)
