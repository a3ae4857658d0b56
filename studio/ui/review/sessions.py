"""The list of review sessions: open ones to join, closed ones with their minutes."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from storage.tables import Project, ReviewSession
from studio.access.actor import Actor, Role
from studio.ui.components import empty_state, next_step, page_header, status_badge
from studio.ui.formats import ago, plain
from studio.ui.navigation import page_path
from studio.ui.review.back import back_to_list
from studio.ui.review.minutes import show_minutes
from studio.ui.review.room import show_room
from studio.ui.review.starting import hint, something_to_decide
from studio.ui.state import current_studio, open_project, reported_errors


def opened_session(project: Project) -> ReviewSession | None:
    """The session of the address, in its project; None, and the reason on screen, when there is no such session."""
    session_id = st.query_params.get("session")
    if not session_id:
        return None
    with reported_errors():
        found = current_studio().reviews.get(session_id)
        if found.project_id != project.id:  # a teammate's link opens their project too
            open_project(current_studio().projects.get(found.project_id).name)
            st.rerun()
        return found
    return None


def show_session(review: ReviewSession, actor: Actor) -> None:
    """The room while it is open, the minutes afterwards."""
    if review.state != "open":
        show_minutes(review)
    elif actor.can(Role.LABELER):
        show_room(review)
    else:
        page_header(plain(review.title), f"{plain(review.chair)} has the chair.")
        back_to_list()
        empty_state("lock", "You are a viewer", "Labelers and editors take part in sessions. Ask an admin for a role.")


def list_sessions(project: Project) -> None:
    """Every session of the project, or how to come to the first."""
    reviews = current_studio().reviews
    found, tally = reviews.all(project.id), reviews.tally(project.id)
    for review in found:
        _session(review, *tally.get(review.id, (0, 0)))
    if not found:
        _nothing_yet(project)
    next_step("Freeze a version with the decided outputs on Curate", "curate")


def _nothing_yet(project: Project) -> None:
    if not something_to_decide(project):
        empty_state("handshake", "Nothing is disputed", hint(project), "Open Label", "label")
        return
    caption = "Vote blind on the examples people disagree about, then decide. Alone it takes one key each."
    empty_state("groups", "There is something to decide", caption)


def _session(review: ReviewSession, items: int, decided: int) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"session_{review.id}"):
        with st.container(gap=None, width="stretch"):
            with st.container(horizontal=True, gap="small", vertical_alignment="center"):
                st.markdown(f"**{plain(review.title)}**", width="content")
                status_badge(review.state)
            st.caption(_facts(review))
        st.progress(decided / max(items, 1), text=f"{decided:,} of {items:,} decided", width=220)
        label, icon = ("Open", "login") if review.state == "open" else ("Minutes", "description")
        st.page_link(page_path("review"), label=label, icon=f":material/{icon}:", query_params={"session": review.id})


def _facts(review: ReviewSession) -> str:
    others: Sequence[str] = [name for name in review.people if name != review.chair]
    company = f"with {', '.join(others)}" if others else "alone"
    return f"{plain(review.chair)} has the chair, {plain(company)}, started {ago(review.created_at)}"
