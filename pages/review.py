"""Review: people decide together on the examples worth deciding, one key each."""

import streamlit as st

from studio.access.actor import Role
from studio.ui.components import empty_state, page_header
from studio.ui.review.sessions import list_sessions, opened_session, show_session
from studio.ui.review.starting import start_dialog
from studio.ui.state import current_actor, current_project

actor, project = current_actor(), current_project()
review = opened_session(project) if project else None
if review is not None:
    show_session(review, actor)
    st.stop()

start = page_header(
    "Review",
    "Decide together on what people disagree about: vote blind, see the votes, settle it, leave with minutes.",
    primary="Start session" if actor.can(Role.EDITOR) else None,
    icon="groups",
    disabled=project is None,
)
if project is None:
    empty_state("folder", "No project yet", "Create one under Settings, Projects.", "Open Settings", "settings")
    st.stop()
if start or st.query_params.get("task"):
    start_dialog(project, st.query_params.get("task", ""))
    st.query_params.pop("task", None)
list_sessions(project)
