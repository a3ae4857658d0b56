"""One revision on the Deploy page: its state, its gates' evidence, its log, and what can be done with it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import Revision
from studio.access.actor import Role
from studio.deploy.overview import RevisionView
from studio.ui.components import status_badge
from studio.ui.formats import ago, plain
from studio.ui.state import current_actor, current_studio, reported_errors

GATES = {
    "health": "The server says it is healthy",
    "identity": "It answers to this revision's name",
    "golden": "It gives the tuned model's answers, not the base's",
    "template": "It makes the same prompts as training did",
    "smoke": "A real prompt gets an answer",
    "override": "Overridden by an admin",
}
SHOWN_APART = ("why", "rows", "matches", "prompts", "telling")
STARTABLE = ("stopped", "failed")


def revision_card(view: RevisionView) -> None:
    """One revision: its state, its gates' evidence, its log, and what can be done with it."""
    revision = view.revision
    with st.container(border=True, gap="small", key=f"revision_{revision.id}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**Revision {revision.number}** · {plain(view.model.name)}", width="content")
            status_badge(revision.state)
            st.caption(f"{revision.target} · {ago(revision.created_at)} by {plain(revision.created_by)}")
        if revision.error:
            st.error(plain(revision.error), icon=":material/error:")
        _actions(view)
        for entry in revision.certificate:
            _gate(entry)
        _elsewhere(revision)
        with st.expander("Server log", icon=":material/terminal:", key=f"log_{revision.id}", on_change="rerun") as log:
            if log.open:
                st.code(current_studio().deployments.log(revision.id) or "Nothing was written yet.", language=None)


def _elsewhere(revision: Revision) -> None:
    advice = current_studio().deployments.on_tgi(revision.id) if revision.target == "embedded" else None
    if advice is None:
        return
    with st.expander("Serve it on TGI", icon=":material/dns:"):
        st.caption("Run this on a machine with a GPU. Then deploy the model on a server that runs elsewhere, named")
        st.code("/data/model", language=None)
        st.code(advice.command, language="bash", wrap_lines=True)
        for problem in advice.problems:
            st.text(problem)


def _actions(view: RevisionView) -> None:
    revision, editor = view.revision, current_actor().can(Role.EDITOR)
    ready = revision.state == "ready"
    with st.container(horizontal=True, gap="small"):
        for percent in (20.0, 100.0):
            same = view.weight == percent
            if st.button(
                f"{percent:g} %", key=f"shift_{percent:g}_{revision.id}", disabled=not (ready and editor) or same
            ):
                shift(revision, percent)
        if revision.state in STARTABLE:
            _start_buttons(revision, editor)
        else:
            _stop_button(revision, editor and view.weight == 0)


def _stop_button(revision: Revision, allowed: bool) -> None:
    if st.button("Stop", key=f"stop_{revision.id}", icon=":material/stop:", disabled=not allowed):
        with reported_errors():
            current_studio().deployments.stop(current_actor(), revision.id)
            st.rerun()


def _start_buttons(revision: Revision, editor: bool) -> None:
    if revision.state == "stopped":
        if st.button("Start", key=f"start_{revision.id}", icon=":material/play_arrow:", disabled=not editor):
            with reported_errors():
                current_studio().deployments.restart(current_actor(), revision.id)
                st.rerun()
    elif current_actor().can(Role.ADMIN) and st.button("Override gates", key=f"override_{revision.id}"):
        override_dialog(revision)


@st.dialog("Override gates")
def override_dialog(revision: Revision) -> None:
    """An admin takes the responsibility, in writing."""
    st.caption(f"Revision {revision.number} has not proven that its weights answer. Your reason is kept with it.")
    reason = st.text_area("Reason", key="override_reason")
    if st.button("Override", type="primary", key="override_confirm"):
        with reported_errors():
            current_studio().deployments.override_gates(current_actor(), revision.id, reason)
            st.rerun()


def shift(revision: Revision, percent: float) -> None:
    """Move traffic, and show the new split."""
    with reported_errors():
        current_studio().deployments.shift(current_actor(), revision.id, percent)
        st.rerun()


def _gate(entry: dict[str, Any]) -> None:
    passed, evidence = entry["passed"], entry["evidence"]
    icon = ":material/check_circle:" if passed else ":material/cancel:"
    title = GATES.get(entry["gate"], entry["gate"])
    with st.expander(title, icon=icon, expanded=not passed):
        if "why" in evidence:
            st.text(evidence["why"])
        rows = evidence.get("rows")
        if rows:
            st.caption(f"{evidence['matches']} of {evidence['prompts']} match the tuned model.")
            st.dataframe(pd.DataFrame([_golden_row(row) for row in rows]), hide_index=True, width="stretch")
        others = {name: value for name, value in evidence.items() if name not in SHOWN_APART}
        if others:
            st.json(others, expanded=True)


def _golden_row(row: dict[str, Any]) -> dict[str, Any]:
    said = "tuned" if row["matches_tuned"] else "base" if row["matches_base"] else "something else"
    return {
        "Prompt": row["prompt"],
        "Answers like": said,
        "Tuned model's answer": row.get("tuned_text", ""),
        "First tokens served": str(row["served"]),
    }
