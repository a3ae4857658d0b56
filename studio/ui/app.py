"""The router: runs on every full rerun, so it stays cheap. Signs in, lists the pages, draws the sidebar."""

from __future__ import annotations

import streamlit as st

from studio.ui.navigation import PageEntry, pages_for
from studio.ui.sidebar import account, brand, project_picker
from studio.ui.state import current_actor


def as_page(entry: PageEntry, default: bool) -> st.Page:
    """The entry as Streamlit wants it."""
    icon = f":material/{entry.icon}:"
    return st.Page(entry.path, title=entry.title, icon=icon, url_path=entry.name, help=entry.help, default=default)


def main() -> None:
    """One run of the app."""
    brand()
    actor = current_actor()
    entries = pages_for(actor.role)
    sections: dict[str, list[st.Page]] = {}
    for entry in entries:
        sections.setdefault(entry.section, []).append(as_page(entry, default=entry is entries[0]))
    page = st.navigation(sections, expanded=True)
    with st.sidebar:
        project_picker()
        account(actor)
    page.run()


main()
