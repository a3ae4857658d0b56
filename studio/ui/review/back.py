"""The way back from a session to the list of sessions."""

from __future__ import annotations

import streamlit as st

from studio.ui.address import put_address


def back_to_list() -> None:
    """A quiet button to the list."""
    if st.button("All sessions", type="tertiary", icon=":material/arrow_back:", key="all_sessions"):
        put_address({})
        st.rerun()
