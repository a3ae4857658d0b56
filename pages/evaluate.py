"""Evaluate: models compared on the golden examples, with intervals."""

import streamlit as st

from studio.access.actor import Role
from studio.ui import evaluate_view as view
from studio.ui.components import empty_state, next_step, page_header
from studio.ui.evaluate_answers import side_by_side
from studio.ui.state import current_actor, current_project, current_studio, reported_errors

studio, actor, project = current_studio(), current_actor(), current_project()
versions, models = view.can_compare(project)
evaluations = studio.evaluations.all(project.id) if project else []

compare = page_header(
    "Evaluate",
    "Compare models on golden examples that none of them was trained on.",
    primary="Compare" if versions and models else None,
    icon="balance",
    disabled=not actor.can(Role.EDITOR),
)
if project is None:
    empty_state("folder", "No project yet", "Create one under Settings, Projects.", "Open Settings", "settings")
    st.stop()
if not versions:
    caption = "Models are compared on the golden examples of a frozen version, so that the result can be repeated."
    empty_state("balance", "Nothing to compare on yet", caption, "Freeze a version", "curate")
    st.stop()
if not models:
    caption = "Train a model, or register your provider's model under Settings, Providers."
    empty_state("model_training", "No model yet", caption, "Train a model", "train")
    st.stop()

choice = view.choose(versions, models)
if compare:
    with reported_errors():
        started = studio.evaluations.start(
            actor, choice.version_id, choice.model_ids, verified_only=choice.verified_only
        )
        st.query_params["id"] = started.id
        st.rerun()
if evaluations:
    shown = view.pick(evaluations)
    if shown.finished_at is None:
        view.progress(shown)
    else:
        view.results(shown)
        side_by_side(shown)
next_step("Put the better model behind your alias on Deploy", "deploy")
