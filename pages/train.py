"""Train: a plan in plain words, one button, and the run as it learns."""

import streamlit as st

from studio.access.actor import Role
from studio.ui.components import empty_state, next_step, page_header
from studio.ui.state import current_actor, current_project, current_studio, reported_errors
from studio.ui.train.bases import base_jobs, first_base, needs_first_base
from studio.ui.train.bring_back import bring_back
from studio.ui.train.compare import compare_view
from studio.ui.train.history import history
from studio.ui.train.plan_view import show_plan
from studio.ui.train.questions import choose
from studio.ui.train.queue_view import queue
from studio.ui.train.run import run_view
from studio.ui.train.starting import train
from studio.ui.train.views import SET_UP, run_tabs, shown_view

studio, actor, project = current_studio(), current_actor(), current_project()
versions = studio.training.versions(project.id) if project else []
run_id, compared = st.query_params.get("run"), st.query_params.get("compare")
first = bool(project and needs_first_base(project))
setting_up = not (run_id or compared) and shown_view() == SET_UP

clicked = page_header(
    "Train",
    "Fine-tune a small model on a frozen version and watch it learn.",
    primary="Train" if setting_up and not first else None,
    icon="model_training",
    disabled=not versions or not actor.can(Role.EDITOR),
)
if project is None:
    empty_state("folder", "No project yet", "Create one under Settings, Projects.", "Open Settings", "settings")
    st.stop()
if run_id or compared:
    with reported_errors():
        run_view(run_id) if run_id else compare_view(str(compared).split(","))
    next_step("Compare models on Evaluate", "evaluate")
    st.stop()

base_jobs(project.id)
set_up_tab, runs_tab = run_tabs()
with set_up_tab:
    if set_up_tab.open and not versions:
        empty_state(
            "dataset",
            "Nothing to learn from yet",
            "Training starts from a frozen dataset version, so that every model can be traced to its rows.",
            "Freeze a version",
            page="curate",
        )
    elif set_up_tab.open and first:
        first_base(project, actor)
    elif set_up_tab.open:
        choice, start = choose(versions, project, actor)
        overrides = show_plan(choice, start)
        if clicked:
            train(actor, choice, start, overrides)
with runs_tab:
    if runs_tab.open:
        queue(project.id)
        history(project.id)
        bring_back(project.id, actor)
next_step("Compare models on Evaluate", "evaluate")
