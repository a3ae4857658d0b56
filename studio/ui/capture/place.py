"""Where one is on the Capture page: its address is the only truth, read and written here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import streamlit as st

from storage.tables import Project
from studio.capture.explorer.answers import Sort
from studio.capture.filters import LogFilter
from studio.ui.address import address, put_address
from studio.ui.capture.address import CONDITIONS, OWN, PLACE, Query, changed, criteria_of, first, sort_of, without

KEPT = "capture_address"
"""The filters of the last visit to each project."""
LAST = "capture_last"
"""The project that was shown last, and what the address said of it."""
BEHIND = "capture_behind"
"""Cursors of the pages that were left behind, so that one gets back to them."""


def arrive(project: Project) -> None:
    """Bring back the filters of the last visit to this project, unless the address says something itself.

    What the address still says of a project that was open before means nothing in this one.
    """
    before = st.session_state.get(LAST)
    st.session_state[LAST] = (project.id, _own(here()))
    if before is not None and before[0] != project.id and before[1] == _own(here()):
        st.session_state.pop(BEHIND, None)
        go(without(here(), *OWN))
    if not _own(here()):
        go({**here(), **st.session_state.get(KEPT, {}).get(project.id, {})})
    keep()


def keep() -> None:
    """Remember the filters and the order for the next visit; not the open call or the page."""
    own = _own(here())
    project_id, _ = st.session_state.get(LAST, ("", {}))
    kept = st.session_state.get(KEPT, {})
    st.session_state[KEPT] = {**kept, project_id: without(own, *PLACE, "call", "panel", "live")}
    st.session_state[LAST] = (project_id, own)


def _own(query: Mapping[str, list[str]]) -> Query:
    return {name: list(values) for name, values in query.items() if name in OWN}


def here() -> Query:
    """The parameters of this page's address."""
    return address()


def go(query: Mapping[str, list[str]]) -> None:
    """Change the address at once; what other parts of the app keep in it stays."""
    if here() != query:
        put_address(query)
        keep()


def change(**changes: Iterable[str]) -> None:
    """Set some parameters, back at the start of the list."""
    st.session_state.pop(BEHIND, None)
    go(changed(here(), changes))


def set_one(name: str, value: str = "") -> None:
    """Set or drop one parameter and stay where one is in the list."""
    query = without(here(), name)
    go({**query, name: [value]} if value else query)


def clear() -> None:
    """Show everything of every time."""
    st.session_state.pop(BEHIND, None)
    go({**without(here(), *CONDITIONS, *PLACE), "range": ["All"]})


def one(name: str) -> str:
    """The value of a parameter, or nothing."""
    return first(here(), name)


def criteria(project: Project) -> LogFilter:
    """The filter that the address means."""
    return criteria_of(project.id, here())


def order() -> Sort:
    """How the calls are ordered."""
    return sort_of(here())


def page_number() -> int:
    """Which page of the list is shown."""
    number = one("p")
    return int(number) if number.isdecimal() and one("after") else 1


def turn(after: str | None) -> None:
    """Go on to the page that begins after this cursor."""
    if after:
        behind = [*st.session_state.get(BEHIND, []), one("after")]
        st.session_state[BEHIND] = behind
        go({**here(), "after": [after], "p": [str(page_number() + 1)]})


def turn_back() -> None:
    """Go back one page; to the first one where the pages before are not known."""
    behind = list(st.session_state.get(BEHIND, []))
    after = behind.pop() if behind else ""
    st.session_state[BEHIND] = behind
    number = max(page_number() - 1, 1)
    go(without(here(), *PLACE) if not after else {**here(), "after": [after], "p": [str(number)]})


def turn_to_start() -> None:
    """Go to the first page."""
    st.session_state.pop(BEHIND, None)
    go(without(here(), *PLACE))
