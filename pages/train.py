"""Train: a plan in plain words, one button, and the run as it learns."""

import streamlit as st

from studio.access.actor import Role
from studio.ui.components import empty_state, next_step, page_header
from studio.ui.state import current_actor, current_project, current_studio, reported_errors
from studio.ui.train_run import run_list, run_view
from studio.ui.train_view import base_jobs, choose, first_base, needs_first_base, show_plan

studio, actor, project = current_studio(), current_actor(), current_project()
versions = studio.training.versions(project.id) if project else []
shown, first = st.query_params.get("run"), bool(project and needs_first_base(project))

clicked = page_header(
    "Train",
    "Fine-tune a small model on a frozen version and watch it learn.",
    primary=None if shown or first else "Train",
    icon="model_training",
    disabled=not versions or not actor.can(Role.EDITOR),
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
    if first:
        first_base(project, actor)
    else:
        choice = choose(versions, project, actor)
        overrides = show_plan(choice)
        if clicked:
            with reported_errors():
                base_id = choice.base_id(actor)
                run = studio.training.start(
                    actor, choice.version_id, base_id, preset=choice.preset, overrides=overrides
                )
                st.query_params["run"] = run.id
                st.rerun()
    run_list(project.id)
next_step("Compare models on Evaluate", "evaluate")
