"""Settings, Privacy: what is written down of a project's calls, a box to try it, and what can be undone."""

from __future__ import annotations

import streamlit as st

from storage.tables import Project
from studio.access.actor import Role
from studio.capture.privacy.policy import Policy
from studio.ui.formats import ago, plain
from studio.ui.settings.privacy_forget import forget_section, reveal_section
from studio.ui.settings.privacy_form import policy_fields
from studio.ui.settings.privacy_try import try_section
from studio.ui.state import current_actor, current_studio, reported_errors

SAVED = "privacy_saved"


def privacy_tab(project: Project) -> None:
    """The policy left, what it does to a text right; below, pseudonyms and forgetting a user."""
    privacy, is_admin = current_studio().privacy, current_actor().can(Role.ADMIN)
    saved = privacy.policy(project.id)
    st.caption(
        f"What is written down of the calls of {plain(project.name)}. Keys and passwords are always taken out, "
        "before the first write, wherever a call comes from."
    )
    head = st.container(horizontal=True, vertical_alignment="center", gap="small")
    left, right = st.columns([3, 2], gap="medium")
    with left:
        chosen = policy_fields(project, saved, disabled=not is_admin)
    with head:  # above the fields, so that whoever changes one sees that it is not saved
        _save(project, saved, chosen, is_admin)
    with right:
        try_section(project, chosen)
    if is_admin:
        with st.container(horizontal=True, gap="medium", vertical_alignment="top"):
            reveal_section(project)
            forget_section(project)


def _save(project: Project, saved: Policy, chosen: Policy, is_admin: bool) -> None:
    if not is_admin:
        st.caption("Only an admin changes this.")
        return
    if st.button("Save policy", type="primary", key="save_privacy", disabled=chosen == saved):
        with reported_errors():
            _put(project, chosen)
    elif st.session_state.pop(SAVED, False):
        st.caption(":green[:material/check: Saved. The gateway follows within a second.]")
    elif chosen != saved:
        st.caption(":orange[Not saved yet.] What you see under Try it is how it would be.")
    else:
        st.caption(_last_change(project))


def _put(project: Project, chosen: Policy) -> None:
    current_studio().privacy.save(
        current_actor(),
        project.id,
        record_what=chosen.record,
        detectors=chosen.detectors,
        patterns=chosen.patterns,
        pseudonyms=chosen.pseudonyms,
        retention_days=chosen.retention_days,
    )
    st.session_state[SAVED] = True
    st.rerun()


def _last_change(project: Project) -> str:
    row = current_studio().privacy.changed(project.id)
    return f"Changed by {plain(row.updated_by)}, {ago(row.updated_at)}" if row else "Nobody has changed this yet."
