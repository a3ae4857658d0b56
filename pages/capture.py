"""Capture: every call of the feature as it arrives, to search, read, rate and add to datasets."""

import streamlit as st

from studio.access.actor import Role
from studio.ui.capture import actions, view
from studio.ui.capture.drawer import drawer
from studio.ui.capture.filters import filter_row, range_choice
from studio.ui.capture.import_dialog import import_dialog
from studio.ui.components import active_jobs, empty_state, next_step, page_header
from studio.ui.settings.secret import shown_once
from studio.ui.state import current_actor, current_project, current_studio

studio, actor, project = current_studio(), current_actor(), current_project()
captured = project is not None and studio.logs.newest_id(project.id) > 0

add = page_header(
    "Capture",
    "Every call of your feature, as it arrives. Search, read, rate, and add the good ones to a dataset.",
    primary="Add to dataset" if captured else None,
    icon="playlist_add",
    disabled=not actor.can(Role.EDITOR),
    help="Adds every call that the filters show.",
)
if project is None:
    empty_state("folder", "No project yet", "Create one under Settings, Projects.", "Open Settings", "settings")
    st.stop()
shown_once()
active_jobs(project.id, ("import", "add_logs", "sample_traffic"))
view.job_results(project)
if not captured:
    actions.first_calls(project)
    st.stop()

with st.container(horizontal=True, gap="small", vertical_alignment="center"):
    range_choice()
    st.space("stretch")
    if st.button("Connect", icon=":material/cable:", key="connect_feature"):
        actions.connect_dialog(project)
    if st.button("Import a file", icon=":material/upload_file:", key="import", disabled=not actor.can(Role.EDITOR)):
        import_dialog(project)
criteria = filter_row(project, studio.logs.facets(project.id))
view.explorer(project, criteria)
if add:
    actions.add_dialog(project)
else:
    drawer(project)
next_step("Clean the examples and freeze a version on Curate", "curate")
