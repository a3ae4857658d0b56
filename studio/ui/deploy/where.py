"""Where to serve: this machine, a place by its name, or a server at an address."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st

from storage.tables import ServingPlace
from studio.access.actor import Role
from studio.access.places import Health
from studio.ui.settings.place_rows import show_health
from studio.ui.state import current_actor, current_studio, reported_errors

HERE, ADDRESS = "embedded", "external"
LABELS = {HERE: "Embedded server (this machine)", ADDRESS: "A server at an address"}
FRESH_S = 60.0
DIALECTS = {"": "What it says of itself", "tgi": "TGI's API", "vllm": "vLLM's API", "openai": "OpenAI's API"}


@dataclass(frozen=True)
class Where:
    """A target, and the place or address it is at."""

    target: str
    place_id: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    key: str = field(default="", repr=False)
    labels: dict[str, str] = field(default_factory=dict)

    def with_options(self, more: dict[str, Any]) -> Where:
        """The same place with settings of its own."""
        return replace(self, options={**self.options, **more})

    def label_of(self, kind: str) -> str:
        """What a kind of target is called."""
        return self.labels.get(kind, kind)


def choose_where() -> Where:
    """The selectbox, and what the choice needs to be told."""
    places = {place.id: place for place in current_studio().serving_places.all()}
    labels = {kind.name: kind.label for kind in current_studio().serving_places.kinds()} | LABELS
    shown = LABELS | {key: f"{place.name} ({labels.get(place.kind, place.kind)})" for key, place in places.items()}
    by_hand = [ADDRESS] if current_actor().can(Role.ADMIN) else []  # an address may lead inside the network
    options = [HERE, *places, *by_hand]
    chosen = str(st.selectbox("Serve on", options, format_func=shown.__getitem__, key="deploy_where"))
    if chosen in places:
        _health(places[chosen])
        return Where(places[chosen].kind, chosen, labels=labels)
    return replace(_address(), labels=labels) if chosen == ADDRESS else Where(HERE, labels=labels)


def _address() -> Where:
    url = st.text_input("Address", placeholder="http://gpu-1:8080", key="deploy_url")
    name = st.text_input("Model name there", placeholder="Empty: the revision's own name", key="deploy_served_name")
    dialect = st.selectbox("It speaks", list(DIALECTS), format_func=DIALECTS.__getitem__, key="deploy_dialect")
    key = st.text_input("API key", type="password", key="deploy_key", autocomplete="off")
    given = {"url": url, "model": name, "dialect": dialect}
    return Where(ADDRESS, None, {option: value for option, value in given.items() if value}, key or "")


def _health(place: ServingPlace) -> None:
    """Whether the place answers and what an hour there costs, asked at most once a minute."""
    key = f"health_{place.id}"
    known: tuple[float, Health] | None = st.session_state.get(key)
    if known is None or time.monotonic() - known[0] > FRESH_S:
        with reported_errors(), st.spinner("Asking whether it answers"):
            health = current_studio().serving_places.check(current_actor(), place.id)
            known = st.session_state[key] = (time.monotonic(), health)
    if known:
        show_health(known[1])
