"""The line that says whether Argilla answers."""

from __future__ import annotations

import streamlit as st

from studio.ui.components import next_step
from studio.ui.formats import plain
from studio.ui.state import current_studio


def platform_health() -> bool:
    """One line on whether Argilla answers; whether it does."""
    health = current_studio().labeling.health()
    if health.ok:
        st.caption(f":green[:material/check_circle:] {plain(health.text)}")
        return True
    st.warning(
        f"{plain(health.text)} Answers that were given are safe; they are collected as soon as it answers again.",
        icon=":material/cloud_off:",
        title="Argilla is not reachable",
    )
    next_step("See what runs under Settings, Health", "settings")
    return False
