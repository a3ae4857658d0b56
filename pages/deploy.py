"""Deploy: serve a model behind an alias, prove its weights answer, and move traffic a step at a time."""

import streamlit as st

from studio.access.actor import Role
from studio.ui.components import active_jobs, empty_state, next_step, page_header
from studio.ui.deploy import opening, stepping
from studio.ui.deploy.answering import who_answers
from studio.ui.deploy.deploying import deploy_dialog
from studio.ui.deploy.health import is_it_well, live_charts
from studio.ui.deploy.moving import move_traffic
from studio.ui.deploy.tabs import show_tabs
from studio.ui.state import current_actor, current_project, current_studio

studio, actor, project = current_studio(), current_actor(), current_project()
deployments = studio.deployments.all(project.id) if project else []
models = opening.servable(studio.models.all(project.id)) if project else []
found = opening.opened(deployments)

go = page_header(
    "Deploy",
    "Serve a model behind an alias, prove that its weights answer, and move traffic a step at a time.",
    primary=stepping.primary_label(found) if models else None,
    icon=stepping.primary_icon(found),
    disabled=not actor.can(Role.EDITOR),
)
if project is None:
    empty_state("folder", "No project yet", "Create one under Settings, Projects.", "Open Settings", "settings")
    st.stop()
if go:
    stepping.take_next_step(project, models, found)
if not models and found is None:
    caption = "A tuned model is served here and takes over an alias from the provider's model. Train one first."
    empty_state("rocket_launch", "Nothing to deploy yet", caption, "Open Train", "train")
    next_step("Compare models on Evaluate", "evaluate")
    st.stop()
if found is None:
    active_jobs(project.id, ("deploy",))
    caption = "Serve a model under a name. Callers keep that name while the models behind it change."
    if empty_state("rocket_launch", "No alias yet", caption, "Deploy model", key="first_deploy"):
        deploy_dialog(project, models, "")
    st.stop()

opening.choose_alias(project, models, deployments, found)
stepping.what_waits(found)
answering, well = st.columns([4, 6], gap="small")
with answering:
    who_answers(found)
with well:
    is_it_well(found)
move_traffic(found)
live_charts(found)
show_tabs(found)
opening.follow_changes(found)
next_step("See what people say of it on Improve", "improve")
