"""The sidebar's own parts: the mark, the project picker, and who is signed in."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from studio.access.actor import Actor
from studio.ui.state import PROJECT, PROJECT_TO_OPEN, current_actor, current_studio, reported_errors

ASSETS = Path(__file__).parent / "assets"
_SIGN_OUT = (
    "<i></i><script>fetch('/auth/logout', {method: 'POST'}).finally(() => location.assign('/auth/login'))</script>"
)


def brand() -> None:
    """The page's name, icon and mark, from local files only."""
    st.set_page_config(page_title="Whetstone", page_icon=str(ASSETS / "icon.png"), layout="wide")
    theme = "dark" if st.context.theme.type == "dark" else "light"
    st.logo(str(ASSETS / f"logo_{theme}.svg"), size="large", icon_image=str(ASSETS / "icon.svg"))


def project_picker() -> None:
    """The project everything on screen is about, kept in the session and in the address."""
    names = [project.name for project in current_studio().projects.all()]
    wanted = st.session_state.pop(PROJECT_TO_OPEN, None)
    if not names:
        return
    if wanted in names:
        st.session_state[PROJECT] = wanted
    elif st.session_state.get(PROJECT) not in names:
        st.session_state[PROJECT] = _asked_for(names) or names[0]
    st.selectbox("Project", names, key=PROJECT, bind="query-params", icon=":material/folder:")


def _asked_for(names: list[str]) -> str | None:
    name = st.query_params.get(PROJECT)
    return name if name in names else None


def account(actor: Actor) -> None:
    """Who is signed in, with what they may do about it."""
    choice = st.menu_button(
        f"{actor.username} · {actor.role}",
        ["Set password", "Sign out"],
        icon=":material/account_circle:",
        type="tertiary",
        key="account",
    )
    if choice == "Sign out":
        st.html(_SIGN_OUT, unsafe_allow_javascript=True)
    elif choice == "Set password":
        set_password()


@st.dialog("Set your password", icon=":material/key:")
def set_password() -> None:
    """Choose a password; every other browser of this person is signed out."""
    actor = current_actor()
    with st.form("set_password", border=False):
        password = st.text_input("New password", type="password", autocomplete="new-password")
        st.caption("At least 10 characters. Your other browsers are signed out.")
        saved = st.form_submit_button("Save password", type="primary")
    if saved and actor.person_id:
        with reported_errors():
            current_studio().people.set_password(actor, actor.person_id, password)
            st.toast("Password saved.", icon=":material/check:")
            st.rerun()
