"""The two views of the Train page, kept in the address: setting a run up, and the runs there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

SET_UP, RUNS = "Set up", "Runs"
VIEW = "view"


def shown_view() -> str:
    """The view that is open, told before the tabs are drawn."""
    wanted = st.session_state.get(VIEW) or st.query_params.get(VIEW)
    return RUNS if wanted == RUNS else SET_UP


def run_tabs() -> Sequence[Any]:
    """The tabs of both views."""
    return st.tabs([SET_UP, RUNS], key=VIEW, on_change="rerun", bind="query-params")
