"""The dialog before traffic moves: one sentence of what will change, the evidence for it, and a reason to keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from storage.tables import Release
from studio.deploy.overview import RevisionView
from studio.ui.deploy.dialogs import page_dialog
from studio.ui.deploy.evidence import evidence_lines
from studio.ui.formats import plain
from studio.ui.state import reported_errors

Act = Callable[[str], Release]


@dataclass(frozen=True)
class Change:
    """What is about to happen, and what is known of the revisions that get more."""

    title: str
    sentence: str
    button: str
    gaining: tuple[RevisionView, ...]
    act: Act
    """Takes the reason."""


def confirm(change: Change) -> None:
    """Ask once more, with everything that is known."""
    page_dialog(change.title, width="medium", icon=":material/swap_horiz:")(_body)(change)


def _body(change: Change) -> None:
    st.markdown(plain(change.sentence))
    for view in change.gaining:
        with st.container(border=True, gap="xsmall", key=f"evidence_{view.revision.id}"):
            st.markdown(f"**{plain(view.model.name)} (revision {view.revision.number})**")
            for line in evidence_lines(view):
                st.markdown(f":{line.color}[:material/{line.icon}:] {plain(line.text)}")
    reason = st.text_input("Reason", placeholder="Kept with the release; you may leave it empty", key="move_reason")
    st.caption("It takes effect within a second. Undo takes it back just as fast.")
    if st.button(change.button, type="primary", key="move_confirm"):
        with reported_errors():
            change.act(reason.strip())
            st.rerun()
