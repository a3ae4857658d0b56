"""What people and programs said about a call, and a place to say more."""

from __future__ import annotations

from typing import Any

import streamlit as st

from storage.tables import Feedback, LogEntry
from studio.access.actor import Role
from studio.ui.formats import ago, plain
from studio.ui.state import current_actor, current_studio, reported_errors

WORDS = {"thumbs": "Thumbs", "score": "Score", "comment": "Comment", "correction": "Correction", "metric": "Metric"}


def feedback(entry: LogEntry) -> None:
    """Everything said so far, then the buttons."""
    for given in current_studio().logs.feedback_of(entry):
        _given(given)
    if current_actor().can(Role.LABELER):
        _give(entry)


def _given(given: Feedback) -> None:
    value = ("up" if given.value else "down") if given.kind == "thumbs" else given.value
    said = " ".join(str(part) for part in (given.name, value) if part not in (None, ""))
    who = f"by {given.given_by}" if given.given_by else f"by {given.source}"
    st.caption(f"**{WORDS.get(given.kind, given.kind)}** {plain(said)} {plain(who)}, {ago(given.created_at)}")
    if given.text and given.kind != "correction":
        st.text(given.text)


def _give(entry: LogEntry) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for label, icon, value, word in (("Good", "thumb_up", 1, "up"), ("Bad", "thumb_down", 0, "down")):
            kind: Any = "primary" if entry.rating == word else "secondary"
            if st.button(label, icon=f":material/{icon}:", key=f"rate_{value}", type=kind):
                _save(entry, kind="thumbs", value=float(value))
        with st.popover("Correct the reply", icon=":material/edit:", key=f"correct_{entry.uid}"):
            text = st.text_area(
                "What it should have said", entry.correction or entry.reply_text, height=200, key=f"fix_{entry.uid}"
            )
            if st.button("Save correction", type="primary", key="save_correction"):
                _save(entry, kind="correction", text=text)


def _save(entry: LogEntry, **said: Any) -> None:
    actor = current_actor()
    with reported_errors():
        give = current_studio().feedback.give
        give(entry.project_id, uid=entry.uid, given_by=actor.username, source="studio", actor=actor, **said)
        st.rerun()
