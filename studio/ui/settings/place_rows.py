"""What both tabs of places share, to train and to serve: the list, Test, Change and Delete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from studio.access.actor import Actor, Role
from studio.access.places import Health
from studio.ui.components import empty_state
from studio.ui.formats import plain
from studio.ui.settings.place_form import AnyPlace, Form, form_dialog
from studio.ui.state import current_studio, reported_errors


@dataclass(frozen=True)
class Tab:
    """One kind of places, and its words."""

    form: Form
    caption: str
    nothing: tuple[str, str]
    """Title and hint before there is any place."""
    about: Callable[[AnyPlace], str]
    """What its row says beside its name."""


def place_tab(tab: Tab, actor: Actor) -> None:
    """Every place, and whether it answers; admins add, change and delete them."""
    prefix = tab.form.prefix
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption(tab.caption, width=520)
        can_add = actor.can(Role.ADMIN)
        if can_add and st.button("Add place", icon=":material/add:", type="primary", key=f"add_{prefix}"):
            form_dialog(tab.form, None)
    places = tab.form.service(current_studio()).all()
    if not places:
        empty_state("dns", *tab.nothing, key=f"no_{prefix}s")
    for place in places:
        _row(tab, place, actor)


def _row(tab: Tab, place: AnyPlace, actor: Actor) -> None:
    with st.container(border=True, key=f"{tab.form.prefix}_{place.id}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f":material/dns: **{plain(place.name)}**", width=220)
            st.markdown(f":gray[{plain(tab.about(place))}]", width="stretch")
            if actor.can(Role.EDITOR):
                _check(tab, place, actor)
            if actor.can(Role.ADMIN):
                _change(tab, place, actor)
        _told(place)


def _check(tab: Tab, place: AnyPlace, actor: Actor) -> None:
    if st.button("Test", key=f"check_{place.id}", type="tertiary", icon=":material/network_check:"):
        with reported_errors(), st.spinner("Asking", show_time=True):
            st.session_state[_key(place)] = tab.form.service(current_studio()).check(actor, place.id)


def _told(place: AnyPlace) -> None:
    health: Health | None = st.session_state.get(_key(place))
    if health:
        show_health(health)


def show_health(health: Health) -> None:
    """What a place said of itself, its price among it, and what should be changed."""
    icon, color = ("check", "green") if health.ok else ("error", "red")
    st.markdown(f":{color}[:material/{icon}:] {plain(health.sentence)}")
    for warning in health.warnings:
        st.markdown(f":orange[:material/warning:] {plain(warning)}")


def _change(tab: Tab, place: AnyPlace, actor: Actor) -> None:
    if st.button("Change", key=f"change_{place.id}", type="tertiary", icon=":material/edit:"):
        form_dialog(tab.form, place)
    if st.button("Delete", key=f"delete_{place.id}", type="tertiary", icon=":material/delete:"):
        with reported_errors():
            tab.form.service(current_studio()).delete(actor, place.id)
            st.rerun()


def _key(place: AnyPlace) -> str:
    return f"place_told_{place.id}"
