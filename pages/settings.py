"""Settings: people, labeling, API keys, providers, privacy, places, projects, health, the audit trail."""

from collections.abc import Callable

import streamlit as st

from storage.tables import Project
from studio.access.actor import Role
from studio.ui.components import empty_state, page_header
from studio.ui.navigation import page_named
from studio.ui.settings.health import health_tab
from studio.ui.settings.keys import keys_tab
from studio.ui.settings.labeling import labeling_tab
from studio.ui.settings.people import people_tab
from studio.ui.settings.places import places_tab, serving_tab
from studio.ui.settings.privacy import privacy_tab
from studio.ui.settings.projects import projects_tab
from studio.ui.settings.providers import providers_tab
from studio.ui.settings.secret import shown_once
from studio.ui.settings.trail import trail_tab
from studio.ui.state import current_actor, current_project

actor, project = current_actor(), current_project()
if actor.role not in page_named("settings").seen_by:
    st.stop()


def of_project(show: Callable[[Project], None]) -> None:
    """A tab that needs a project, or the hint to make one."""
    if project:
        show(project)
    else:
        empty_state("folder", "No project yet", "Create one under Projects first.", key="no_project")


page_header("Settings", "People, keys, providers and the health of the studio.")
shown_once()
tabs: dict[str, Callable[[], None]] = {
    "People": lambda: people_tab(actor),
    "Labeling": lambda: labeling_tab(actor),
    "API keys": lambda: of_project(keys_tab),
    "Providers": lambda: of_project(providers_tab),
    "Privacy": lambda: of_project(privacy_tab),
    "Compute": lambda: places_tab(actor),
    "Serving": lambda: serving_tab(actor),
    "Projects": projects_tab,
    "Health": health_tab,
}
if actor.can(Role.ADMIN):
    tabs["Audit trail"] = trail_tab
for tab, show in zip(
    st.tabs(list(tabs), key="tab", on_change="rerun", bind="query-params"), tabs.values(), strict=True
):
    with tab:
        if tab.open:
            show()
