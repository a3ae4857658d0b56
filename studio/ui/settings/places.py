"""Settings, Compute: the places besides this machine where training runs may happen."""

from __future__ import annotations

import streamlit as st

from storage.tables import ComputeTarget
from studio.access.actor import Actor, Role
from studio.ui.components import empty_state
from studio.ui.formats import money, plain
from studio.ui.settings.place_form import place_dialog
from studio.ui.state import current_studio, reported_errors

TOLD = "place_told"


def places_tab(actor: Actor) -> None:
    """Every place, with its price and whether it answers; admins add, change and delete them."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption("Runs happen on this machine unless Train is told another place. Keys are encrypted.", width=520)
        if actor.can(Role.ADMIN) and st.button("Add place", icon=":material/add:", type="primary", key="add_place"):
            place_dialog(None)
    places = current_studio().places.all()
    if not places:
        empty_state(
            "dns",
            "This machine only",
            "Add a Ray cluster, Hugging Face Jobs or a company that trains, and Train offers it.",
            key="no_places",
        )
    for place in places:
        _place_row(place, actor)


def _place_row(place: ComputeTarget, actor: Actor) -> None:
    kinds = {kind.name: kind.label for kind in current_studio().places.kinds()}
    with st.container(border=True, key=f"place_{place.id}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f":material/dns: **{plain(place.name)}**", width=220)
            price = f" · {money(place.price_per_hour)} an hour" if place.price_per_hour else ""
            about = f"{kinds.get(place.kind, place.kind)}{' · ' if place.url else ''}{place.url}{price}"
            st.markdown(f":gray[{plain(about)}]", width="stretch")
            if actor.can(Role.EDITOR):
                _check(place, actor)
            if actor.can(Role.ADMIN):
                _change(place, actor)
        _told(place)


def _check(place: ComputeTarget, actor: Actor) -> None:
    if st.button("Test", key=f"check_{place.id}", type="tertiary", icon=":material/network_check:"):
        with reported_errors(), st.spinner("Asking", show_time=True):
            health = current_studio().places.check(actor, place.id)
            st.session_state[f"{TOLD}_{place.id}"] = (health.ok, health.sentence)


def _told(place: ComputeTarget) -> None:
    told = st.session_state.get(f"{TOLD}_{place.id}")
    if told:
        ok, sentence = told
        icon, color = ("check", "green") if ok else ("error", "red")
        st.markdown(f":{color}[:material/{icon}:] {plain(sentence)}")


def _change(place: ComputeTarget, actor: Actor) -> None:
    if st.button("Change", key=f"change_{place.id}", type="tertiary", icon=":material/edit:"):
        place_dialog(place)
    if st.button("Delete", key=f"delete_{place.id}", type="tertiary", icon=":material/delete:"):
        with reported_errors():
            current_studio().places.delete(actor, place.id)
            st.rerun()
