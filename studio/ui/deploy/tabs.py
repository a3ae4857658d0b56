"""The rest of the Deploy page, a tab each; a closed one costs nothing."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from studio.deploy.overview import Overview
from studio.ui.deploy.history import history
from studio.ui.deploy.naming import short_names
from studio.ui.deploy.passing_on import passing_on
from studio.ui.deploy.playground import playground
from studio.ui.deploy.revision import revision_cards
from studio.ui.deploy.shadow_pairs import shadow_pairs
from studio.ui.deploy.snippets import snippets


def show_tabs(found: Overview) -> None:
    """Revisions, playground, shadow pairs, snippets, passing on, history."""
    rooms: dict[str, Callable[[], None]] = {
        "Revisions": lambda: revision_cards(found),
        "Playground": lambda: playground(found),
        "Shadow pairs": lambda: shadow_pairs(found),
        "Connect": lambda: snippets(found.deployment.alias),
        "Pass on": lambda: passing_on(found),
        "History": lambda: history(found.events, short_names(found)),
    }
    tabs = st.tabs(list(rooms), key="deploy_tab", on_change="rerun", bind="query-params")
    for tab, show in zip(tabs, rooms.values(), strict=True):
        with tab:
            if tab.open:
                show()
