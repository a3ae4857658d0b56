"""Settings, Health: which processes answer."""

from __future__ import annotations

import streamlit as st

from studio.ui.components import status_badge
from studio.ui.health import Check, check_all
from studio.ui.state import current_studio


@st.fragment(run_every=10)
def health_tab() -> None:
    """Every check, asked again every ten seconds."""
    st.caption("Asked again every ten seconds.")
    for check in check_all(current_studio()):
        _row(check)


def _row(check: Check) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small", key=f"h_{check.name}"):
        st.markdown(f"**{check.name}**", width=160)
        with st.container(width=110):
            status_badge(check.status)
        with st.container(gap=None, width="stretch"):
            st.text(check.detail)
            if check.fix:
                st.caption(check.fix)
