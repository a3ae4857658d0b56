"""Dialogs of the Deploy page: while one is open the page does not draw itself again, for that would close it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, TypeVar

import streamlit as st

Body = TypeVar("Body", bound=Callable[..., None])
OPEN = "deploy_dialog"


def page_dialog(
    title: str, *, icon: str, width: Literal["small", "large", "medium"] = "small"
) -> Callable[[Body], Callable[..., None]]:
    """A dialog that says while it is open."""

    def made(body: Body) -> Callable[..., None]:
        @wraps(body)
        def held(*args: Any) -> None:
            st.session_state[OPEN] = True
            body(*args)

        return st.dialog(title, icon=icon, width=width, on_dismiss="rerun")(held)

    return made


def all_closed() -> None:
    """A run of the whole page starts: what was open is closed."""
    st.session_state.pop(OPEN, None)


def is_open() -> bool:
    """Whether somebody is in a dialog now."""
    return bool(st.session_state.get(OPEN))
