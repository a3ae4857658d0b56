"""Improve: what users say about each served model, what it saves, and the next turn of the loop."""

import streamlit as st

from studio.access.actor import Role
from studio.ui import improve_view as view
from studio.ui.components import active_jobs, empty_state, next_step, page_header
from studio.ui.state import current_actor, current_project, current_studio, reported_errors

studio, actor, project = current_studio(), current_actor(), current_project()
waiting = studio.improve.waiting(project.id) if project else None

start = page_header(
    "Improve",
    "What users say about each model, and the next turn of the loop.",
    primary="Start next turn",
    icon="cycle",
    disabled=not actor.can(Role.EDITOR) or not waiting or not waiting.calls,
    help="Takes new corrections and ratings into the dataset and freezes a version to train on.",
)
if project is None or waiting is None:
    empty_state("folder", "No project yet", "Create one under Settings, Projects.", "Open Settings", "settings")
    st.stop()

since = view.period()
models = studio.improve.by_model(project.id, since)
if not models:
    caption = "Once calls come in through the gateway, send feedback on them by API or rate them on the Capture page."
    empty_state("thumbs_up_down", "No traffic in this period", caption, "Open Capture", "capture")
    st.stop()

dataset = view.choose_dataset(project)
if start and dataset:
    with reported_errors():
        studio.improve.start_next_turn(actor, project.id, dataset.id)
elif start:
    st.error("There is no dataset to add to. Create one on the Curate page.", icon=":material/error:")
active_jobs(project.id, ("next_turn",))
view.figures(waiting)
view.verdict_lines(studio.improve.verdicts(project.id, since))
view.by_model(models, studio.improve.savings(project.id, since))
feedback, turns = st.tabs(["Feedback", "Turns"], key="improve_tab")
with feedback:
    view.stream(project)
with turns:
    view.turns(studio.improve.turns(project.id))
next_step("Train on the new version", "train")
