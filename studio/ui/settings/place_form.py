"""The dialog that adds or changes a place, to train or to serve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from storage.tables import ComputeTarget, ServingPlace
from studio.access.places import Kind, Option
from studio.bootstrap import Studio
from studio.deploy.places import ServingPlaces
from studio.train.places import Places
from studio.ui.state import current_actor, current_studio, reported_errors

AnyPlace = ComputeTarget | ServingPlace
Service = Places | ServingPlaces


@dataclass(frozen=True)
class Form:
    """Which places, and what their dialog is called."""

    prefix: str
    title: str
    service: Callable[[Studio], Service]
    priced: bool = False
    """Whether a person tells what an hour there costs."""


def form_dialog(form: Form, place: AnyPlace | None) -> None:
    """Kind, name, address, key and what the kind wants to know; an empty key keeps the saved one."""
    st.dialog(form.title, icon=":material/dns:", width="medium")(place_form)(form, place)


def place_form(form: Form, place: AnyPlace | None) -> None:
    """The dialog's body."""
    kinds = {kind.name: kind for kind in form.service(current_studio()).kinds()}
    chosen = st.selectbox(
        "Kind",
        list(kinds),
        list(kinds).index(place.kind) if place else 0,
        format_func=lambda name: kinds[name].label,
        disabled=place is not None,
        key=f"{form.prefix}_kind",
    )
    kind = kinds[str(chosen)]
    st.caption(kind.about)
    with st.form(f"{form.prefix}_form", border=False):
        given = _basics(form, kind, place)
        options = _options(kind, dict(place.options) if place else {}, form.prefix)
        if not st.form_submit_button("Save place", type="primary"):
            return
    with reported_errors():
        form.service(current_studio()).save(current_actor(), kind=kind.name, options=options, **given)
        st.rerun()


def _basics(form: Form, kind: Kind, place: AnyPlace | None) -> dict[str, Any]:
    name = st.text_input("Name", place.name if place else "", disabled=place is not None, placeholder="our cluster")
    given: dict[str, Any] = {"name": name}
    if kind.url != "no":
        known = place.url if place else ""
        hint = "" if kind.url == "required" else "Empty is the usual one"
        given["url"] = st.text_input("Address", known, placeholder=hint or "http://127.0.0.1:8265")
    if kind.key != "no":
        hint = "Leave empty to keep the saved key" if place else ("" if kind.key == "required" else "Not needed")
        given["key"] = st.text_input("Key", type="password", placeholder=hint, autocomplete="off")
    if form.priced:
        price = place.price_per_hour if isinstance(place, ComputeTarget) else 0.0
        given["price_per_hour"] = st.number_input("Price per hour, USD", 0.0, 100_000.0, price, format="%.2f")
    return given


def _options(kind: Kind, saved: dict[str, Any], prefix: str) -> dict[str, Any]:
    must = [option for option in kind.options if option.kind == "yes"]
    others = [option for option in kind.options if option.kind != "yes"]
    given = {option.name: _option(option, saved, prefix) for option in must}
    if not others:
        return given
    with st.expander("More settings", key=f"{prefix}_options"):
        return given | {option.name: _option(option, saved, prefix) for option in others}


def _option(option: Option, saved: dict[str, Any], prefix: str) -> Any:
    value, key = saved.get(option.name, option.default), f"{prefix}_{option.name}"
    text = option.help or None
    if option.kind == "yes":
        return st.checkbox(option.label, bool(value), help=text, key=key)
    if option.kind == "number":
        return st.number_input(option.label, 0.0, None, value, help=text, key=key, format="%g")
    if option.choices:
        return _choice(option, value, key)
    if option.kind == "text":
        return st.text_input(option.label, str(value or ""), help=text, key=key)
    return st.text_area(option.label, as_lines(value), help=_form(option), key=key, height=80)


def _choice(option: Option, value: Any, key: str) -> str | None:
    choices = list(option.choices)
    index = choices.index(value) if value in choices else None
    return st.selectbox(option.label, choices, index, help=option.help or None, key=key, placeholder="As it is found")


def _form(option: Option) -> str:
    return f"{option.help} One per line{', as name=value' if option.kind == 'map' else ''}.".strip()


def as_lines(value: Any) -> str:
    """A list or a map as text, one entry a line."""
    if isinstance(value, dict):
        return "\n".join(f"{name}={each}" for name, each in value.items())
    return "\n".join(str(each) for each in value or ())
