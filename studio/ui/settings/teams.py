"""Teams: named groups of people who are asked together."""

from __future__ import annotations

import streamlit as st

from storage.tables import Team
from studio.access.actor import Actor, Role
from studio.ui.components import empty_state
from studio.ui.formats import plain
from studio.ui.label.words import counted
from studio.ui.state import current_actor, current_studio, reported_errors


def teams_section(actor: Actor) -> None:
    """Every team with its members; editors add, change and delete."""
    may = actor.can(Role.EDITOR)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        with st.container(gap=None, width="content"):
            st.markdown("#### Teams")
            st.caption("A team is asked as one when examples are sent: choose “Lawyers” instead of five names.")
        if st.button("New team", icon=":material/group_add:", key="new_team", disabled=not may):
            team_dialog(None)
    teams = current_studio().teams.all()
    if not teams:
        empty_state("groups", "No team yet", "You can also choose people one by one.", key="no_teams")
    for team in teams:
        _row(team, may)


def _row(team: Team, may: bool) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small", key=f"team_{team.id}"):
        st.markdown(f":material/groups: **{plain(team.name)}**", width=260)
        st.markdown(f":gray[{plain(', '.join(team.members)) or 'nobody yet'}]", width="stretch")
        if may and st.button("Change", key=f"change_team_{team.id}", type="tertiary", icon=":material/edit:"):
            team_dialog(team)


@st.dialog("Team", icon=":material/groups:")
def team_dialog(team: Team | None) -> None:
    """Make or change a team."""
    team_form(team)


def team_form(team: Team | None) -> None:
    """Name and members."""
    known = current_studio().labeling.teammates()
    name = st.text_input("Name", team.name if team else "", max_chars=60, disabled=team is not None, key="team_name")
    present = [who for who in team.members if who in known] if team else []
    members = st.multiselect("Members", known, default=present, placeholder="Who belongs to it", key="team_members")
    st.caption(f"{counted(len(members), 'member')}. Tasks that were sent keep the people they were sent to.")
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        if st.button("Save team", type="primary", key="save_team"):
            with reported_errors():
                current_studio().teams.save(current_actor(), team.name if team else name, members)
                st.rerun()
        if team and st.button("Delete", type="tertiary", icon=":material/delete:", key="delete_team"):
            with reported_errors():
                current_studio().teams.delete(current_actor(), team.id)
                st.rerun()
