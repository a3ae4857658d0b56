"""Secrets that were just made: on screen until put away, never stored in clear."""

from __future__ import annotations

import streamlit as st

SHOWN_ONCE = "secret_made"


def shown_once() -> None:
    """A secret that was just made: on screen until it is put away, never stored in clear."""
    made = st.session_state.get(SHOWN_ONCE)
    if made is None:
        return
    title, secret = made
    with st.container(border=True, key="shown_once"):
        st.markdown(f"**{title}**")
        st.caption("Copy it now: it is not stored and cannot be shown again.")
        st.code(secret, language=None)
        if st.button("I have copied it", key="put_away", icon=":material/check:"):
            del st.session_state[SHOWN_ONCE]
            st.rerun()


def show_once(title: str, secret: str) -> None:
    """Keep a new secret for `shown_once` and redraw."""
    st.session_state[SHOWN_ONCE] = (title, secret)
    st.rerun()
