"""What people say about a run and do with it: notes, tags, once more, clone and tweak."""

from __future__ import annotations

import streamlit as st

from storage.tables import TrainingRun
from studio.access.actor import Actor, Role
from studio.ui.formats import plain
from studio.ui.state import current_actor, current_studio, reported_errors
from studio.ui.train.tweak import prefill

COMMON_TAGS = ("baseline", "candidate", "keep", "broken")


def run_actions(run: TrainingRun) -> None:
    """The buttons beside a run's name."""
    actor = current_actor()
    if not actor.can(Role.EDITOR):
        return
    values = current_studio().training.values_of(run)
    st.button(
        "Clone and tweak",
        key="tweak",
        icon=":material/content_copy:",
        on_click=prefill,
        args=(run, values),
        help="Fills the set-up with everything this run used, to be changed and trained again.",
    )
    if st.button("Run again", key="again", icon=":material/replay:", help="Same recipe, data, base and seed."):
        with reported_errors():
            st.query_params["run"] = current_studio().training.reproduce(actor, run.id).id
            st.rerun()
    with st.popover("Note and tags", icon=":material/edit_note:", key="note_popover"):
        _note_form(run, actor)


def shown_note(run: TrainingRun) -> None:
    """What was written down about the run."""
    if run.tags:
        with st.container(horizontal=True, gap="small"):
            for tag in run.tags:
                st.badge(plain(tag), color="gray", icon=":material/sell:")
    if run.note:
        with st.container(border=True, key="run_note"):
            st.text(run.note)


def _note_form(run: TrainingRun, actor: Actor) -> None:
    known = {tag for each in current_studio().training.all(run.project_id) for tag in each.tags}
    with st.form("note_form", border=False):
        note = st.text_area("Note", run.note, placeholder="What to remember about this run", height=120)
        options = sorted({*known, *COMMON_TAGS})
        tags = st.multiselect("Tags", options, run.tags, accept_new_options=True, placeholder="Type to add one")
        saved = st.form_submit_button("Save note", type="primary")
    if saved:
        with reported_errors():
            current_studio().experiments.note(actor, run.id, note)
            current_studio().experiments.tag(actor, run.id, tags)
            st.rerun()
