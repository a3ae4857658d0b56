"""Deploy: serve a model behind an alias, prove its weights answer, and move traffic a step at a time."""

import streamlit as st

from studio.access.actor import Role
from studio.ui import deploy_view as view
from studio.ui.components import active_jobs, empty_state, next_step, page_header
from studio.ui.deploy_revision import revision_card
from studio.ui.state import current_actor, current_project, current_studio

studio, actor, project = current_studio(), current_actor(), current_project()
deployments = studio.deployments.all(project.id) if project else []
models = view.servable(studio.models.all(project.id)) if project else []
found = view.opened(deployments)

go = page_header(
    "Deploy",
    "Serve a model behind an alias, prove that its weights answer, and move traffic a step at a time.",
    primary=view.primary_label(found) if models else None,
    icon="rocket_launch",
    disabled=not actor.can(Role.EDITOR),
)
if project is None:
    empty_state("folder", "No project yet", "Create one under Settings, Projects.", "Open Settings", "settings")
    st.stop()
if go:
    view.take_next_step(project, models, found)
if not models and found is None:
    caption = "A tuned model is served here and takes over an alias from the provider's model. Train one first."
    empty_state("rocket_launch", "Nothing to deploy yet", caption, "Open Train", "train")
    next_step("Compare models on Evaluate", "evaluate")
    st.stop()

active_jobs(project.id, ("deploy",))
if found is None:
    caption = "Serve a model under a name. Callers keep that name while the models behind it change."
    if empty_state("rocket_launch", "No alias yet", caption, "Deploy model", key="first_deploy"):
        view.deploy_dialog(project, models, "")
    st.stop()

view.choose_alias(project, models, deployments, found)
view.split(found)
view.follow_changes(found)
revisions, playground, connect, history = st.tabs(
    ["Revisions", "Try it", "Connect", "History"], key="deploy_tab", on_change="rerun"
)
if revisions.open:
    with revisions:
        for revision in found.revisions:
            revision_card(revision)
        if not found.revisions:
            st.caption("Only the provider's model answers so far. Train a model, then deploy it here.")
if playground.open:
    with playground:
        view.playground(found)
if connect.open:
    with connect:
        view.snippet(found.deployment.alias)
if history.open:
    with history:
        view.history(found.events)
next_step("See what people say of it on Improve", "improve")
