"""Saved views: filters with a name, shared in the project; and the link to what is on screen."""

from __future__ import annotations

import streamlit as st

from storage.tables import Project, SavedView
from studio.access.actor import Role
from studio.capture.explorer.answers import Sort
from studio.capture.filters import LogFilter
from studio.ui.capture import place
from studio.ui.capture.address import CONDITIONS, Query, is_custom, query_of, span_of, without
from studio.ui.capture.parts import part
from studio.ui.formats import plain
from studio.ui.state import current_actor, current_studio, reported_errors

_COPY = part("copy_link")


def views_menu(project: Project) -> None:
    """Open, save, rename and delete views; copy the link."""
    views = current_studio().views.all(project.id)
    shown = next((view for view in views if is_shown(view)), None)
    label = plain(shown.name) if shown else "Views"
    with st.popover(label, icon=":material/bookmarks:", key="views_menu", type="tertiary"):
        for view in views:
            st.button(
                plain(view.name),
                key=f"view_{view.id}",
                icon=":material/check:" if view is shown else ":material/bookmark:",
                type="tertiary",
                on_click=_open,
                args=(view,),
            )
        if not views:
            st.caption("Filters that somebody saved under a name, for everybody in the project.")
        _COPY(key="copy_link", data={"label": "Copy link to this view"})
        if current_actor().can(Role.EDITOR):
            _save(project)
            if shown:
                _edit(shown)


def is_shown(view: SavedView) -> bool:
    """Whether the address shows what this view saved."""
    wanted = view_query(view)
    here = {name: sorted(values) for name, values in place.here().items() if name in (*CONDITIONS, "sort")}
    if not is_custom(here):
        here["range"] = [span_of(here)]
    return here == {name: sorted(values) for name, values in wanted.items()}


def view_query(view: SavedView) -> Query:
    """The address of a view; a named time range stays relative to the day it is opened."""
    kept = {name: value for name, value in view.query.items() if name not in ("sort", "range", "project_id")}
    said = view.query.get("sort") or {}
    criteria = LogFilter.from_dict({"project_id": view.project_id, **kept})
    query = query_of(criteria, Sort(said.get("by", "created_at"), bool(said.get("descending", True))))
    span = view.query.get("range")
    return {**without(query, "from", "to"), "range": [span]} if span else query


def _open(view: SavedView) -> None:
    st.session_state.pop(place.BEHIND, None)
    rest = {name: values for name, values in place.here().items() if name not in (*CONDITIONS, "sort", "after", "p")}
    place.go({**rest, **view_query(view)})


def _save(project: Project) -> None:
    with st.form("save_view", border=False, clear_on_submit=True):
        name = st.text_input("Save what is shown as", max_chars=80, placeholder="A name for everybody in the project")
        if st.form_submit_button("Save view", icon=":material/bookmark_add:"):
            with reported_errors():
                query = place.here()
                span = "" if is_custom(query) else span_of(query)
                views = current_studio().views
                views.save(current_actor(), project.id, name, place.criteria(project), place.order(), span)
                st.rerun()


def _edit(view: SavedView) -> None:
    with st.form(f"edit_view_{view.id}", border=False):
        name = st.text_input("Name", view.name, max_chars=80, key=f"view_name_{view.id}")
        with st.container(horizontal=True, gap="small"):
            renamed = st.form_submit_button("Rename")
            deleted = st.form_submit_button("Delete", icon=":material/delete:", type="tertiary")
    with reported_errors():
        if renamed:
            current_studio().views.rename(current_actor(), view.id, name)
            st.rerun()
        if deleted:
            current_studio().views.delete(current_actor(), view.id)
            st.rerun()
