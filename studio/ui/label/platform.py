"""The line that says whether Argilla answers."""

from __future__ import annotations

import streamlit as st

from studio.label.backend import Health
from studio.ui.components import next_step
from studio.ui.formats import plain
from studio.ui.state import current_studio

FRESH_S = 5
"""A platform that hangs is asked this seldom, so that it does not slow every click."""


@st.cache_data(show_spinner=False, ttl=FRESH_S, max_entries=4)
def _health(studio_root: str) -> Health:
    return current_studio().labeling.health()


def platform_health(*, only_trouble: bool = False) -> bool:
    """One line on whether Argilla answers; whether it does."""
    health = _health(str(current_studio().settings.root))
    if health.ok and only_trouble:
        return True
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
