"""Settings, Projects: one per GenAI feature."""

from __future__ import annotations

import streamlit as st

from studio.ui.formats import ago, plain
from studio.ui.sample import sample_button
from studio.ui.state import current_actor, current_studio, open_project, reported_errors


def projects_tab() -> None:
    """Every project; a new one is opened at once."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption("One project per GenAI feature. Everything else belongs to one.", width="content")
        with st.container(horizontal=True, width="content", gap="small"):
            sample_button("projects_sample")
            if st.button("New project", icon=":material/create_new_folder:", type="primary", key="new_project"):
                project_dialog()
    for project in current_studio().projects.all():
        with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f":material/folder: **{plain(project.name)}**", width=260)
            st.markdown(f":gray[{plain(project.description) or 'No description'} · made {ago(project.created_at)}]")


@st.dialog("New project", icon=":material/create_new_folder:")
def project_dialog() -> None:
    """Names the project and opens it."""
    with st.form("project_form", border=False):
        name = st.text_input("Name", placeholder="The feature, for example Support triage")
        description = st.text_area("Description", placeholder="What goes in and what comes out")
        if not st.form_submit_button("Create project", type="primary"):
            return
    with reported_errors():
        made = current_studio().projects.create(current_actor(), name, description)
        open_project(made.name)
        st.rerun()
