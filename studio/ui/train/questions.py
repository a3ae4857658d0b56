"""The questions of a run: what to learn from, what to start from, how thoroughly."""

from __future__ import annotations

import streamlit as st

from storage.tables import Dataset, DatasetVersion, Project
from studio.access.actor import Actor, Role
from studio.train.advise import PRESETS
from studio.ui.train.bases import about_base, bases, build_button, lacks_tiny_base
from studio.ui.train.choice import Choice


def choose(versions: list[tuple[DatasetVersion, Dataset]], project: Project, actor: Actor) -> Choice:
    """The questions, with the answers given so far."""
    known = bases(project.id)
    named = {version.id: f"{dataset.name}, version {version.number}" for version, dataset in versions}
    with st.container(border=True, key="train_choice"):
        left, middle, right = st.columns([2, 2, 2])
        version_id = left.selectbox("Learn from", list(named), format_func=named.__getitem__, key="version")
        base = middle.selectbox("Start from", list(known), format_func=known.__getitem__, key="base")
        preset = right.segmented_control(
            "How thoroughly", list(PRESETS), default="balanced", required=True, key="preset"
        )
        st.caption(f"{PRESETS[preset]} {about_base(base)}")
    if lacks_tiny_base(project) and actor.can(Role.EDITOR):
        build_button(project, actor, primary=False)
    return Choice(project.id, version_id, base, preset)
