"""Train: a plan in plain words, one button, and the run as it learns."""

import streamlit as st

from studio.access.actor import Role
from studio.ui.components import empty_state, next_step, page_header
from studio.ui.state import current_actor, current_project, current_studio, reported_errors
from studio.ui.train_run import run_list, run_view
from studio.ui.train_view import base_jobs, choose, first_base, show_plan

studio, actor, project = current_studio(), current_actor(), current_project()
versions = studio.training.versions(project.id) if project else []
shown = st.query_params.get("run")
may_train = actor.can(Role.EDITOR) and bool(versions)

clicked = page_header(
    "Train",
    "Fine-tune a small model on a frozen version and watch it learn.",
    primary=None if shown else "Train",
    icon="model_training",
    disabled=not may_train,
)
if project is None:
    empty_state("folder", "No project yet", "Create one under Settings, Projects.", "Open Settings", "settings")
    st.stop()
if shown:
    with reported_errors():
        run_view(shown)
elif not versions:
    empty_state(
        "dataset",
        "Nothing to learn from yet",
        "Training starts from a frozen dataset version, so that every model can be traced to its rows.",
        "Freeze a version",
        page="curate",
    )
else:
    base_jobs(project.id)
    choice = choose(versions, project, actor)
    if choice is None:
        first_base(project, actor)
    else:
        overrides = show_plan(choice)
        if clicked:
            with reported_errors():
                run = studio.training.start(
                    actor, choice.version_id, choice.base_id(actor), preset=choice.preset, overrides=overrides
                )
                st.query_params["run"] = run.id
                st.rerun()
    run_list(project.id)
next_step("Compare models on Evaluate", "evaluate")
