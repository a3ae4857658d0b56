"""Shadow pairs: calls answered twice, side by side; and people's verdict on them, one click away."""

from __future__ import annotations

import streamlit as st

from studio.deploy.overview import Overview


def shadow_pairs(found: Overview) -> None:
    """What shadows answered beside what callers got."""
    st.caption("No call was answered twice yet. Let a revision shadow some of the calls, and both answers appear here.")
