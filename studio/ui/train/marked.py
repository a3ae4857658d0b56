"""Text with marked pieces as a Streamlit component: what a model learns from, or how two answers differ.

The text is captured, so it is hostile: it only ever enters the page as `textContent`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import streamlit as st

HERE = Path(__file__).parent

_MARKED = st.components.v2.component(
    "whetstone_marked",
    css=(HERE / "marked.css").read_text(encoding="utf-8"),
    js=(HERE / "marked.js").read_text(encoding="utf-8"),
)


class Piece(TypedDict):
    """A stretch of text and how it is marked."""

    text: str
    mark: str
    """learned or read: the model is taught it, or only reads it; missing, extra or same: how an answer differs."""


class Line(TypedDict):
    """Named text, in pieces."""

    name: str
    pieces: list[Piece]


class Block(TypedDict):
    """Lines that belong together, with what is said about them."""

    title: str
    note: str
    lines: list[Line]


def show_marked(label: str, blocks: Sequence[Block], *, key: str, legend: Sequence[tuple[str, str]] = ()) -> None:
    """Draw the blocks with a legend of (mark, meaning); `label` is what a screen reader calls the whole."""
    data: dict[str, Any] = {"label": label, "blocks": list(blocks), "legend": [list(each) for each in legend]}
    _MARKED(key=key, data=data)
