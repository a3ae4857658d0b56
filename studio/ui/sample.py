"""The button that loads the sample project: on Home, on an empty Capture, among the projects."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from studio.access.actor import Role
from studio.ui.state import current_actor, current_studio, open_project, reported_errors


def sample_button(key: str, first: bool = False) -> None:
    """Sends the sample's calls and opens its project; `first` makes it the page's main button."""
    makes = current_actor().can(Role.EDITOR)
    kind: Literal["primary", "secondary"] = "primary" if first else "secondary"
    if not st.button("Load the sample project", type=kind, icon=":material/science:", key=key, disabled=not makes):
        return
    with reported_errors():
        job = current_studio().sample.start(current_actor())
        if job.project_id:
            open_project(current_studio().projects.get(job.project_id).name)
        st.rerun()
