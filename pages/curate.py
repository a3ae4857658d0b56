"""Curate: calls become examples, people correct them, and versions are frozen."""

import streamlit as st

from studio.access.actor import Role
from studio.ui import curate_view as view
from studio.ui.components import active_jobs, empty_state, next_step, page_header
from studio.ui.curate_versions import versions_tab
from studio.ui.state import current_actor, current_project, current_studio, reported_errors

studio, actor, project = current_studio(), current_actor(), current_project()
datasets = studio.datasets.all(project.id) if project else []

freeze = page_header(
    "Curate",
    "Turn calls into examples, correct them, and freeze versions that never change.",
    primary="Freeze version" if datasets else None,
    icon="ac_unit",
    disabled=not actor.can(Role.EDITOR),
    help="Stores the examples that are in as an immutable version, after a check for leaks between the splits.",
)
if project is None:
    empty_state("folder", "No project yet", "Create one under Settings, Projects.", "Open Settings", "settings")
    st.stop()
if not datasets:
    caption = "A dataset holds the examples of one task. Make one here, then add calls to it on the Capture page."
    if empty_state("dataset", "No dataset yet", caption, "New dataset", key="first_dataset"):
        view.dataset_dialog(project)
    next_step("Add calls from Capture", "capture")
    st.stop()

dataset = view.choose_dataset(project, datasets)
if freeze:
    with reported_errors():
        studio.datasets.freeze(actor, dataset.id)
active_jobs(project.id, ("add_logs", "freeze", "next_turn"))
summary = studio.datasets.summary(dataset.id)
view.figures(summary)

if not summary.included and not summary.left_out:
    empty_state(
        "inbox", "The dataset is empty", "Filter the calls worth learning from and add them.", "Open Capture", "capture"
    )
    st.stop()

examples, left_out, versions = st.tabs(["Examples", "Left out", "Versions"], key="curate_tab", on_change="rerun")
if examples.open:
    with examples:
        view.examples_tab(dataset)
if left_out.open:
    with left_out:
        view.left_out_tab(dataset, summary)
if versions.open:
    with versions:
        versions_tab(dataset)
next_step("Let teammates check examples on Label", "label")
