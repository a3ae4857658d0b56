"""The page's address, read and changed around what the app's own widgets keep in it."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from studio.ui.state import PROJECT


def address() -> dict[str, list[str]]:
    """The parameters of the address with their values."""
    found = {name: st.query_params.get_all(name) for name in st.query_params}
    return {name: values for name, values in found.items() if values}


def put_address(wanted: Mapping[str, list[str]]) -> None:
    """Make these the parameters, in one step of the browser's history; the open project stays.

    Streamlit refuses to set or clear a parameter that a widget is bound to, the project's picker here, be it to the
    value that it has. So only what changes is set, and what goes is set to no value: that leaves it out.
    """
    now = address()
    changes = {name: values for name, values in wanted.items() if values != now.get(name) and name != PROJECT}
    gone: dict[str, list[str]] = {name: [] for name in now if name not in wanted and name != PROJECT}
    if changes or gone:
        st.query_params.update({**changes, **gone})
