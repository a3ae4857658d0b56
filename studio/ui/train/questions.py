"""The questions of a run: what to learn from, what to start from, in which way, how thoroughly, where and when."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from storage.tables import Dataset, DatasetVersion, Project
from studio.access.actor import Actor, Role
from studio.jobs.ordering import next_tonight
from studio.train.advice import PRESETS
from studio.ui.formats import plain
from studio.ui.state import current_studio
from studio.ui.train.bases import about_base, bases, build_button, lacks_tiny_base, registered
from studio.ui.train.choice import LOCAL, Choice, Start
from studio.ui.train.method_cards import choose_method, choose_then
from studio.ui.train.tweak import forget_parent, parent_id

NOW, TONIGHT = "Now", "Tonight"
Versions = list[tuple[DatasetVersion, Dataset]]


def choose(versions: Versions, project: Project, actor: Actor) -> tuple[Choice, Start]:
    """The questions, with the answers given so far."""
    _tweaked(project.id)
    known = bases(project.id)
    named = {version.id: f"{dataset.name}, version {version.number}" for version, dataset in versions}
    _follow(named, known, project.id)
    with st.container(border=True, key="train_choice"):
        left, middle, right = st.columns([2, 2, 2])
        version_id = left.selectbox("Learn from", list(named), format_func=named.__getitem__, key="version")
        base = middle.selectbox("Start from", list(known), format_func=known.__getitem__, key="base")
        preset = right.segmented_control(
            "How thoroughly", list(PRESETS), default="balanced", required=True, key="preset"
        )
        st.caption(f"{PRESETS[preset]} {about_base(base, version_id)}")
        if lacks_tiny_base(project) and actor.can(Role.EDITOR):
            build_button(project, actor, primary=False)
    offers = current_studio().training.offers(version_id)
    method = choose_method(offers)
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom", key="then_and_when"):
        start = Start(choose_then(offers, method), _where(), _when())
    return Choice(project.id, version_id, base, preset, method), start


def _where() -> str:
    """This machine, or a place from Settings; asked only when there is a choice."""
    places = [place.name for place in current_studio().places.all()]
    if not places:
        return LOCAL
    names = [LOCAL, *places]
    return st.selectbox("Where it runs", names, format_func=_place_label, key="train_place", width=220)


def _place_label(name: str) -> str:
    return "This machine" if name == LOCAL else name


def _when() -> datetime | None:
    at = current_studio().settings.tonight
    help_text = f"Tonight starts it at {at}, when the machine is quiet."
    chosen = st.segmented_control("When", [NOW, TONIGHT], default=NOW, required=True, key="when", help=help_text)
    return next_tonight(at) if chosen == TONIGHT else None


def _follow(versions: dict[str, str], known: dict[str, str], project_id: str) -> None:
    """A field filled earlier may name what is gone; a base from the Hub may be registered by now."""
    state = st.session_state
    if str(state.get("base", "")).startswith("hub:"):
        state["base"] = registered(project_id, state["base"])
    for key, options in (("version", versions), ("base", known)):
        if state.get(key) not in (None, *options):
            del state[key]


def _tweaked(project_id: str) -> None:
    """Says which run the fields were filled from; one of another project fills nothing here."""
    parent = parent_id()
    if parent is None:
        return
    run = current_studio().training.get(parent)
    if run.project_id != project_id:
        forget_parent()
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="tweaked"):
        st.markdown(f":material/content_copy: Filled from {plain(run.name)}. Change what you like, then train.")
        st.button("Start afresh", type="tertiary", key="afresh", on_click=forget_parent)
