"""The live preview of sending: three real rows as teammates will see them, and why each was chosen."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from studio.label.draft import Preview, PreviewItem, TaskDraft
from studio.label.seen import item_seen, questions_seen
from studio.ui.formats import plain
from studio.ui.label.shown import as_shown
from studio.ui.state import current_actor, current_studio, reported_errors

ROWS, FRESH_S = 3, 20
"""Every keystroke in the dialog asks for the preview again, and choosing among 20,000 examples can take a second."""
HEIGHT = 560


def live_preview(draft: TaskDraft) -> Preview | None:
    """One of three rows at a time; None, with the sentence that says why, where the draft cannot be sent."""
    with reported_errors():
        studio = current_studio()
        found = _found(
            replace(draft, guidelines=""), str(studio.settings.root), len(studio.labeling.all(draft.dataset_id))
        )
        with st.container(border=True, height=HEIGHT, key="send_preview"):
            _rows(draft, found)
        return found
    return None


@st.cache_data(show_spinner=False, ttl=FRESH_S, max_entries=30)
def _found(draft: TaskDraft, studio_root: str, tasks_so_far: int) -> Preview:
    return current_studio().labeling.preview(draft, ROWS)


def _rows(draft: TaskDraft, found: Preview) -> None:
    rows = found.items[:ROWS]
    if not rows:
        st.caption(":material/visibility: As teammates will see it")
        st.warning(" ".join(found.notes) or "No example is left to send.")
        return
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption(":material/visibility: As teammates will see it", width="content")
        at = st.segmented_control(
            "Row", range(len(rows)), default=0, format_func=_number, key="send_row", label_visibility="collapsed"
        )
    row = rows[min(at or 0, len(rows) - 1)]
    if row.reason:
        st.caption(f":material/info: Chosen because: {plain(row.reason)}")
    _row(draft, row)
    for note in found.notes:
        st.caption(f":material/info: {plain(note)}")


def _row(draft: TaskDraft, row: PreviewItem) -> None:
    person = row.asked[0] if row.asked else current_actor().username
    as_shown(item_seen(draft, row, person), questions_seen(draft))
    if row.candidates:
        st.caption(f"The order is shuffled per person; this is {plain(person)}'s. Models' names are never shown.")


def _number(at: int) -> str:
    return str(at + 1)
