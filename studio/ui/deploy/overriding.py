"""An admin takes the responsibility for red gates, in writing."""

from __future__ import annotations

import streamlit as st

from storage.tables import Revision
from studio.ui.deploy.dialogs import page_dialog
from studio.ui.formats import plain
from studio.ui.state import current_actor, current_studio, reported_errors


@page_dialog("Override gates", icon=":material/gavel:")
def override_dialog(revision: Revision) -> None:
    """Shows what is red and asks for the reason."""
    st.markdown(
        f"Revision {revision.number} has not proven that its weights answer. "
        "It may have traffic all the same; your name and reason stay on it and on every release it is part of."
    )
    for entry in (entry for entry in revision.certificate if not entry["passed"]):
        st.markdown(f":red[:material/close:] {plain(str(entry['evidence'].get('why') or entry['gate']))}")
    reason = st.text_area("Reason", key="override_reason")
    if st.button("Override", type="primary", key="override_confirm"):
        with reported_errors():
            current_studio().deployments.override_gates(current_actor(), revision.id, reason)
            st.rerun()
