"""The fast screen as a Streamlit component: a page of its own inside the page, drawn by the browser alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent
SENT = "sent"
"""What the browser tells: its place, the votes that were not acknowledged yet, and the chair's order."""

_SCREEN = st.components.v2.component(
    "whetstone_review",
    html=(HERE / "screen.html").read_text(encoding="utf-8"),
    css=(HERE / "screen.css").read_text(encoding="utf-8"),
    js=(HERE / "screen.js").read_text(encoding="utf-8"),
)


def show_screen(data: dict[str, Any], key: str, on_sent: Callable[[], None]) -> None:
    """Mount the screen, or hand it news; `on_sent` runs before the next run when the browser tells something."""
    _SCREEN(key=key, data=data, on_sent_change=on_sent)


def what_was_sent(key: str) -> object:
    """What the browser told, as it came: not checked yet."""
    state = st.session_state.get(key)
    return state.get(SENT) if state else None
