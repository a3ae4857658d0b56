"""The Calls tab: toolbar, chips, charts, the table with its facets, and what arrives meanwhile."""

from __future__ import annotations

import streamlit as st

from storage.tables import Project
from studio.capture.explorer.answers import Sort
from studio.ui.capture import place
from studio.ui.capture.chips import chips
from studio.ui.capture.listing import listing
from studio.ui.capture.overview import overview
from studio.ui.capture.toolbar import toolbar
from studio.ui.state import current_studio, reported_errors

TABS = {"calls": "Calls", "templates": "Prompt templates"}
LIVE_S, IDLE_S = 1.0, 5.0
SEEN = "capture_seen"
"""Id of the newest call when the list was drawn."""
MOST_NEW = 50


def tabs() -> str:
    """Calls or prompt templates, kept in the address."""
    shown = place.one("tab") if place.one("tab") in TABS else "calls"
    if st.session_state.get("tab") != shown:
        st.session_state["tab"] = shown
    st.segmented_control(
        "Show",
        list(TABS),
        key="tab",
        format_func=TABS.__getitem__,
        label_visibility="collapsed",
        on_change=_take_tab,
        required=True,
    )
    return shown


def _take_tab() -> None:
    chosen = st.session_state["tab"]
    place.set_one("tab", "" if chosen == "calls" else chosen)


def calls(project: Project) -> None:
    """Everything about the calls that the address means."""
    # What is answered while the index is built is kept apart from what it answers then.
    ready = current_studio().explorer.readiness().ready
    newest = st.session_state[SEEN] if ready else -1 - st.session_state[SEEN]
    toolbar(project)
    if not ready:
        st.fragment(_progress, run_every=1.0)()
    above, charts, below = st.container(key="chips_place"), st.container(key="charts_place"), st.container()
    with reported_errors():
        with above:
            chips(project, newest)
        with below:  # the calls first: they are what one waits for
            listing(project, newest)
        with charts:
            overview(project, newest)


def _progress() -> None:
    """While the index is first built, how far it is; the page draws itself anew when it is there."""
    state = current_studio().explorer.readiness()
    if state.ready:
        st.rerun()
    share = state.done / state.total if state.total else 0.0
    done = f"{state.done:,} of {state.total:,} calls indexed."
    st.progress(min(share, 1.0), text=f":gray[{done} Until then: newest first, fewer facets, no percentiles.]")


def arrivals(project: Project) -> None:
    """What arrives from now on; call it before `calls`."""
    st.session_state[SEEN] = current_studio().logs.newest_id(project.id)
    st.fragment(_arrivals, run_every=LIVE_S if place.one("live") else IDLE_S)(project)


def _arrivals(project: Project) -> None:
    """How many calls arrived since the list was drawn; live, they are shown at once unless somebody reads."""
    seen = st.session_state.get(SEEN, 0)
    if current_studio().logs.newest_id(project.id) <= seen:
        return
    if place.one("live") and not is_reading():
        st.rerun()
    rows = current_studio().explorer.page(place.criteria(project), Sort(), None, MOST_NEW + 1).rows
    new = sum(row.id > seen for row in rows)
    if new:
        st.button(
            _new_calls(new),
            icon=":material/arrow_upward:",
            key="arrived",
            on_click=place.turn_to_start,
            type="tertiary",
        )


def is_reading() -> bool:
    """Whether a call is open or an older page is shown; the browser itself holds back while calls are selected."""
    return bool(place.one("call") or place.one("after"))


def _new_calls(n: int) -> str:
    many = f"{MOST_NEW}+" if n > MOST_NEW else f"{n}"
    return f"{many} new call{'' if n == 1 else 's'}"
