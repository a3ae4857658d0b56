"""Parts of a page that are only made when somebody opens them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st


@contextmanager
def unfold(label: str, *, icon: str, key: str, expanded: bool = False) -> Iterator[bool]:
    """An expander; yields whether it is open, so that a closed one costs nothing."""
    box = st.expander(label, expanded, icon=f":material/{icon}:", key=key, on_change="rerun")
    with box:
        yield bool(box.open)
