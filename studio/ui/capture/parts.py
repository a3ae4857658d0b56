"""The parts of the Capture page that the browser draws: one script and one style sheet each, beside this file.

Captured text is hostile: the scripts let it into the page as `textContent` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent


def part(name: str) -> Any:
    """The component of this name; call it to draw it."""
    css, js = ((HERE / f"{name}.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return st.components.v2.component(f"whetstone_capture_{name}", css=css, js=js)


def told(key: str, event: str) -> Mapping[str, Any]:
    """What a part told in the run that its event started; empty where it told nothing."""
    found = getattr(st.session_state.get(key), event, None)
    return found if isinstance(found, Mapping) else {}
