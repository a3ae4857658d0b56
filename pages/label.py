"""Label: examples go to teammates in Argilla; progress, agreement and answers come back."""

import streamlit as st

from studio.access.actor import Role
from studio.ui.components import empty_state, next_step, page_header
from studio.ui.label.mine import labeler_page
from studio.ui.label.platform import platform_health
from studio.ui.label.send import open_send_dialog
from studio.ui.label.tasks import task_list
from studio.ui.state import current_actor, current_project, current_studio

actor, project = current_actor(), current_project()
if actor.role is Role.LABELER:
    page_header("Label", "The examples your team asks you about. Answers are saved as you submit them.")
    labeler_page(actor)
    st.stop()

clicked = page_header(
    "Label",
    "Teammates check examples in Argilla; see progress and agreement, then apply the answers.",
    primary="Send to teammates" if actor.can(Role.EDITOR) else None,
    icon="send",
    disabled=project is None,
)
if project is None:
    empty_state("folder", "No project yet", "Create one under Settings, Projects.", "Open Settings", "settings")
    st.stop()

studio = current_studio()
datasets, tasks = studio.datasets.all(project.id), studio.labeling.all(project.id)
if clicked and datasets:
    open_send_dialog(project)
platform_health()
if not datasets:
    empty_state("label", "Nothing to label yet", "Make a dataset from captured calls first.", "Open Curate", "curate")
elif tasks:
    task_list(tasks, actor, project.id)
elif empty_state(
    "group",
    "Ask two teammates about sixty examples",
    "Their corrections become the outputs your model learns, and the golden set you can trust.",
    "Send examples" if actor.can(Role.EDITOR) else None,
):
    open_send_dialog(project)
if studio.labeling.undecided(project.id):
    next_step("Decide what people disagree about on Review", "review")
next_step("Freeze a version with the new outputs on Curate", "curate")
