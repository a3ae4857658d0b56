"""What every page starts from: the studio, who is looking, at which project, and how errors are told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import streamlit as st

from storage.tables import Project
from studio.access.actor import Actor
from studio.bootstrap import Studio, build_studio
from studio.errors import SignedOut, StudioError
from studio.ui.formats import plain

COOKIE = "whetstone_session"
PROJECT = "project"
PROJECT_TO_OPEN = "project_to_open"
_TO_SIGN_IN = (
    "<p>You are signed out.</p><script>"
    "location.assign('/auth/login?next=' + encodeURIComponent(location.pathname + location.search))</script>"
)


@st.cache_resource(show_spinner=False)
def current_studio() -> Studio:
    """The one studio of this process."""
    return build_studio()


def cookie_token() -> str:
    """The sign-in cookie of this browser, as it was when the page was opened."""
    token = st.context.cookies.get(COOKIE)
    return token if isinstance(token, str) else ""


def current_actor() -> Actor:
    """Who is looking, checked now; a browser that is signed out goes to the sign-in page and the run ends here."""
    actor = current_studio().people.actor_for(cookie_token())
    if actor is None:
        go_to_sign_in()
    return actor


def go_to_sign_in() -> NoReturn:
    """Send the browser to the sign-in page; it comes back to this address afterwards."""
    st.html(_TO_SIGN_IN, unsafe_allow_javascript=True)
    st.stop()


def current_project() -> Project | None:
    """The project chosen in the sidebar; None only while there is none at all."""
    name = st.session_state.get(PROJECT)
    return current_studio().projects.find(name) if name else None


def open_project(name: str) -> None:
    """Choose this project on the next run; call `st.rerun()` or switch the page afterwards."""
    st.session_state[PROJECT_TO_OPEN] = name


@contextmanager
def reported_errors() -> Iterator[None]:
    """Show a StudioError as its sentence instead of failing the page; a revoked sign-in goes to the sign-in page."""
    try:
        yield
    except SignedOut:
        go_to_sign_in()
    except StudioError as error:
        st.error(plain(error.message), icon=":material/error:")


def restore_filters(page: str, keys: Sequence[str]) -> None:
    """Before the widgets: bring back the filters of the last visit, unless the address says otherwise."""
    if not any(key in st.query_params or key in st.session_state for key in keys):
        st.session_state.update(st.session_state.get(f"{page}_filters", {}))


def keep_filters(page: str, keys: Sequence[str]) -> None:
    """After the widgets: remember the filters for the next visit."""
    st.session_state[f"{page}_filters"] = {key: st.session_state[key] for key in keys if key in st.session_state}
