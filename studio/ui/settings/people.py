"""Settings, People: who may sign in, with which role."""

from __future__ import annotations

import streamlit as st

from storage.tables import Person
from studio.access.actor import Actor, Role
from studio.ui.components import status_badge
from studio.ui.formats import plain
from studio.ui.settings.secret import show_once
from studio.ui.state import current_actor, current_studio, reported_errors

ROLES = {
    Role.VIEWER: "sees everything, changes nothing",
    Role.LABELER: "answers labeling tasks and review sessions only",
    Role.EDITOR: "curates, labels, trains, evaluates and deploys",
    Role.ADMIN: "everything, people included",
}


def people_tab(actor: Actor) -> None:
    """Who there is; an admin invites, changes roles, makes new links, and deactivates."""
    is_admin = actor.can(Role.ADMIN)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption("A person signs in with a one-time link first and sets a password afterwards.", width="content")
        if st.button("Invite", icon=":material/person_add:", type="primary", key="invite", disabled=not is_admin):
            invite_dialog()
    for person in current_studio().people.all():
        _person_row(person, actor, is_admin)


def _person_row(person: Person, actor: Actor, is_admin: bool) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small", key=f"p_{person.id}"):
        name = plain(person.username) + (" :gray[(you)]" if person.id == actor.person_id else "")
        st.markdown(f":material/account_circle: **{name}**", width=260)
        st.markdown(f":gray[{person.role}: {ROLES[Role(person.role)]}]", width="stretch")
        if not person.active:
            status_badge("inactive")
        if is_admin:
            _person_actions(person)


def _person_actions(person: Person) -> None:
    options = ["Change role", "New sign-in link", "Deactivate"] if person.active else ["Activate"]
    people, key = current_studio().people, f"act_{person.id}"
    choice = st.menu_button("Manage", options, key=key, type="tertiary", icon=":material/more_horiz:")
    with reported_errors():
        if choice == "Change role":
            role_dialog(person)
        elif choice == "New sign-in link":
            show_once(f"Sign-in link for {plain(person.username)}", _link(people.link(current_actor(), person.id)))
        elif choice == "Deactivate":
            people.deactivate(current_actor(), person.id)
            st.rerun()
        elif choice == "Activate":
            people.activate(current_actor(), person.id)
            st.rerun()


def _link(token: str) -> str:
    """The address of a one-time link, on the host this browser uses."""
    origin = (st.context.url or current_studio().settings.web_url).split("/", 3)[:3]
    return "/".join(origin) + f"/auth/link?token={token}"


@st.dialog("Invite a teammate", icon=":material/person_add:")
def invite_dialog() -> None:
    """Name and role; makes the one-time link."""
    with st.form("invite_form", border=False):
        username = st.text_input("Username", autocomplete="off")
        role = st.radio("Role", list(ROLES), index=2, captions=list(ROLES.values()), format_func=str.capitalize)
        if not st.form_submit_button("Create sign-in link", type="primary"):
            return
    with reported_errors():
        token = current_studio().people.invite(current_actor(), username, role)
        show_once(f"Sign-in link for {plain(username)} (works once, for seven days)", _link(token))


@st.dialog("Change role", icon=":material/badge:")
def role_dialog(person: Person) -> None:
    """The new role counts from the person's next click."""
    with st.form("role_form", border=False):
        roles = list(ROLES)
        index = roles.index(Role(person.role))
        role = st.radio(plain(person.username), roles, index, captions=list(ROLES.values()), format_func=str.capitalize)
        if not st.form_submit_button("Save", type="primary"):
            return
    with reported_errors():
        current_studio().people.set_role(current_actor(), person.id, role)
        st.rerun()
