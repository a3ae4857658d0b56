"""Capture: every call of the feature as it arrives, to search, read, rate and add to datasets."""

import streamlit as st

from studio.access.actor import Role
from studio.ui.capture import actions, explorer, place
from studio.ui.capture.connect import connect_dialog, first_calls
from studio.ui.capture.drawer import drawer
from studio.ui.capture.import_dialog import import_dialog, keep_import_open
from studio.ui.capture.results import job_results
from studio.ui.capture.templates import templates_view
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
job_results(project)
keep_import_open(project)
if not captured:
    first_calls(project)
    st.stop()

place.arrive(project)
with st.container(horizontal=True, gap="small", vertical_alignment="center"):
    tab = explorer.tabs()
    explorer.arrivals(project)
    st.space("stretch")
    if st.button("Connect", icon=":material/cable:", key="connect_feature"):
        connect_dialog(project)
    if st.button("Import", icon=":material/upload_file:", key="import", disabled=not actor.can(Role.EDITOR)):
        import_dialog(project)
if tab == "templates":
    templates_view(project)
else:
    explorer.calls(project)
if not actions.asked_for(project, everything=add) and tab == "calls":
    drawer(project)
next_step("Clean the examples and freeze a version on Curate", "curate")
