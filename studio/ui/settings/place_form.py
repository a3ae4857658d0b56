"""The dialog that adds or changes a place where runs may happen."""

from __future__ import annotations

from typing import Any

import streamlit as st

from storage.tables import ComputeTarget
from studio.train.runners.catalog import Option, PlaceKind
from studio.ui.state import current_actor, current_studio, reported_errors


@st.dialog("Place to train", icon=":material/dns:", width="medium")
def place_dialog(place: ComputeTarget | None) -> None:
    """Kind, name, address, key and what the kind wants to know; an empty key keeps the saved one."""
    place_form(place)


def place_form(place: ComputeTarget | None) -> None:
    """The dialog's body."""
    kinds = {kind.name: kind for kind in current_studio().places.kinds()}
    chosen = st.selectbox(
        "Kind",
        list(kinds),
        list(kinds).index(place.kind) if place else 0,
        format_func=lambda name: kinds[name].label,
        disabled=place is not None,
        key="place_kind",
    )
    kind = kinds[chosen]
    st.caption(kind.about)
    with st.form("place_form", border=False):
        given = _basics(kind, place)
        options = _options(kind, dict(place.options) if place else {})
        if not st.form_submit_button("Save place", type="primary"):
            return
    with reported_errors():
        current_studio().places.save(current_actor(), kind=kind.name, options=options, **given)
        st.rerun()


def _basics(kind: PlaceKind, place: ComputeTarget | None) -> dict[str, Any]:
    name = st.text_input("Name", place.name if place else "", disabled=place is not None, placeholder="our cluster")
    given: dict[str, Any] = {"name": name}
    if kind.url != "no":
        known = place.url if place else ""
        hint = "" if kind.url == "required" else "Empty is the usual one"
        given["url"] = st.text_input("Address", known, placeholder=hint or "http://127.0.0.1:8265")
    if kind.key != "no":
        hint = "Leave empty to keep the saved key" if place else ("" if kind.key == "required" else "Not needed")
        given["key"] = st.text_input("Key", type="password", placeholder=hint, autocomplete="off")
    price = place.price_per_hour if place else 0.0
    given["price_per_hour"] = st.number_input("Price per hour, USD", 0.0, 100_000.0, price, format="%.2f")
    return given


def _options(kind: PlaceKind, saved: dict[str, Any]) -> dict[str, Any]:
    must = [option for option in kind.options if option.kind == "yes"]
    others = [option for option in kind.options if option.kind != "yes"]
    given = {option.name: _option(option, saved) for option in must}
    with st.expander("More settings", key="place_options"):
        return given | {option.name: _option(option, saved) for option in others}


def _option(option: Option, saved: dict[str, Any]) -> Any:
    value, key = saved.get(option.name, option.default), f"place_{option.name}"
    text = option.help or None
    if option.kind == "yes":
        return st.checkbox(option.label, bool(value), help=text, key=key)
    if option.kind == "number":
        return st.number_input(option.label, 0.0, None, value, help=text, key=key, format="%g")
    if option.kind == "text":
        return st.text_input(option.label, str(value or ""), help=text, key=key)
    return st.text_area(option.label, as_lines(value), help=_form(option), key=key, height=80)


def _form(option: Option) -> str:
    return f"{option.help} One per line{', as name=value' if option.kind == 'map' else ''}.".strip()


def as_lines(value: Any) -> str:
    """A list or a map as text, one entry a line."""
    if isinstance(value, dict):
        return "\n".join(f"{name}={each}" for name, each in value.items())
    return "\n".join(str(each) for each in value or ())
