"""Label: examples go to teammates in Argilla; progress, agreement and answers come back."""

import streamlit as st

from studio.access.actor import Role
from studio.ui import label_view as view
from studio.ui.components import active_jobs, empty_state, next_step, page_header
from studio.ui.formats import plain
from studio.ui.state import current_actor, current_project, current_studio

actor, project = current_actor(), current_project()
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
if clicked and studio.datasets.all(project.id):
    view.send_dialog(project)
view.platform_health()
active_jobs(project.id, {"publish", "collect"})

chosen = st.query_params.get("id")
tasks = sorted(studio.labeling.all(project.id), key=lambda task: task.id != chosen)
if not studio.datasets.all(project.id):
    empty_state("label", "Nothing to label yet", "Make a dataset from captured calls first.", "Open Curate", "curate")
elif not tasks and empty_state(
    "group",
    "Ask two teammates about sixty examples",
    "Their corrections become the outputs your model learns, and the golden set you can trust.",
    "Send examples" if actor.can(Role.EDITOR) else None,
):
    view.send_dialog(project)

for task in tasks[:1]:
    view.task_card(task, actor)
for task in tasks[1:]:
    with st.expander(plain(f"{task.name} ({task.state})"), key=f"older_{task.id}", on_change="rerun") as older:
        if older.open:
            view.task_card(task, actor)
if studio.labeling.undecided(project.id):
    next_step("Decide what people disagree about on Review", "review")
next_step("Freeze a version with the new outputs on Curate", "curate")
