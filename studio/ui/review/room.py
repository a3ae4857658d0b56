"""The room of a session: the fast screen, refreshed every second, and what stands above it."""

from __future__ import annotations

import time

import streamlit as st

from storage.tables import ReviewSession
from studio.access.actor import Actor, Role
from studio.errors import StudioError
from studio.label.review.shapes import Room
from studio.ui.components import page_header
from studio.ui.formats import plain
from studio.ui.review.back import back_to_list
from studio.ui.review.carrying import carry_out, read_sent
from studio.ui.review.exchange import WINDOW, Wire, news
from studio.ui.review.screen import show_screen, what_was_sent
from studio.ui.state import current_actor, current_studio, reported_errors

REFRESH_S = 0.75
"""Everybody sees a vote within a second: this, and the way there and back."""
BEAT_S = 4.0
SCREEN = "review_screen"
WIRE = "review_wire"
PROBLEM = "review_problem"


def show_room(review: ReviewSession) -> None:
    """The whole session, for everybody who was let in."""
    caption = f"{plain(review.chair)} has the chair. Votes stay hidden until everybody who is here has voted."
    mine = review.chair == current_actor().username
    if page_header(
        plain(review.title), caption, primary="End session" if mine else None, icon="flag", key="end_session"
    ):
        end_dialog(review.id)
    with reported_errors():
        _wire(review.id)
        st.fragment(_live, run_every=REFRESH_S)(review.id, review.chair)


@st.dialog("End the session")
def end_dialog(session_id: str) -> None:
    """Say what stays open, then close."""
    actor, reviews = current_actor(), current_studio().reviews
    lines = reviews.room(actor, session_id).lines
    left = sum(line.state != "decided" for line in lines)
    st.write("Its minutes then stand, and nothing in it can be changed.")
    if left:
        st.caption(
            f"{left:,} of {len(lines):,} examples are not decided. They stay disputed and come to the next session."
        )
    if st.button("End session", type="primary", key="end_now"):
        with reported_errors():
            reviews.close(actor, session_id)
            st.rerun()


def received(session_id: str) -> None:
    """The browser told something; runs before the page does, so it checks everything itself."""
    st.session_state.pop(PROBLEM, None)
    try:
        sent = read_sent(what_was_sent(_key(session_id)))
        carry_out(current_studio().reviews, current_actor(), _wire(session_id), sent)
    except StudioError as error:
        st.session_state[PROBLEM] = error.message


def _live(session_id: str, chair: str) -> None:
    """One look at the room, at most a second old; the whole page follows when the session ends or changes hands."""
    with reported_errors():
        actor, reviews, wire = current_actor(), current_studio().reviews, _wire(session_id)
        _beat(actor, wire)
        room = reviews.room(actor, session_id)
        if room.session.state != "open" or room.session.chair != chair:
            st.rerun()
        _above(room, actor)
        wanted = wire.missing(room.lines)
        if wanted != wire.parcel:
            wire.pack(wanted, reviews.window(session_id, wire.first, WINDOW))
        show_screen(news(wire, room, actor.username), _key(session_id), lambda: received(session_id))


def _beat(actor: Actor, wire: Wire) -> None:
    place, heard = wire.beaten
    if place != wire.position or time.monotonic() - heard > BEAT_S:
        current_studio().reviews.beat(actor, wire.session_id, wire.position)
        wire.beaten = (wire.position, time.monotonic())


def _above(room: Room, actor: Actor) -> None:
    """The link for teammates, and the chair for whoever takes it."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        back_to_list()
        st.space("stretch")
        with st.popover("Invite", icon=":material/link:"):
            st.caption("Teammates who are signed in as labeler or above open this link.")
            st.code(f"{st.context.url}?session={room.session.id}", language=None, wrap_lines=True)
        if room.session.chair != actor.username and actor.can(Role.EDITOR):
            st.button("Take the chair", icon=":material/gavel:", key="take_chair", on_click=_take_chair, args=(room,))
    problem = st.session_state.get(PROBLEM)
    if problem:
        st.error(plain(problem), icon=":material/error:")


def _take_chair(room: Room) -> None:
    try:
        current_studio().reviews.take_chair(current_actor(), room.session.id, room.revision)
    except StudioError as error:
        st.session_state[PROBLEM] = error.message


def _wire(session_id: str) -> Wire:
    """What this browser has of this session; entering it for the first time."""
    wire = st.session_state.get(WIRE)
    if not isinstance(wire, Wire) or wire.session_id != session_id:
        wire = Wire.at(session_id, current_studio().reviews.enter(current_actor(), session_id))
        st.session_state[WIRE] = wire
    return wire


def _key(session_id: str) -> str:
    return f"{SCREEN}_{session_id}"
