"""Settings, Providers: the upstreams the gateway may call."""

from __future__ import annotations

import streamlit as st

from storage.tables import Project, Provider
from studio.access.providers import KINDS
from studio.ui.components import empty_state
from studio.ui.formats import plain
from studio.ui.settings.provider_form import provider_dialog
from studio.ui.settings.split_form import split_dialog
from studio.ui.state import current_actor, current_studio, reported_errors


def providers_tab(project: Project) -> None:
    """The upstreams the gateway may call for this project."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("The upstreams of your calls. Their keys are encrypted and never shown again.", width="stretch")
        providers = current_studio().providers.all(project.id)
        if providers and st.button("Split a name", icon=":material/call_split:", key="split_name"):
            split_dialog(project, providers)
        if st.button("Add provider", icon=":material/add:", type="primary", key="add_provider"):
            provider_dialog(project, None)
    if not providers:
        empty_state("hub", "No provider yet", "Add the one your feature calls today.", key="no_providers")
    for provider in providers:
        _provider_row(project, provider)


def _provider_row(project: Project, provider: Provider) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small", key=f"v_{provider.id}"):
        names = ", ".join(provider.models) if provider.models != ["*"] else "every model"
        speaks = "" if provider.kind == "openai" else f" :gray[speaks like {KINDS[provider.kind]}]"
        with st.container(gap=None, width="stretch"):
            st.markdown(f":material/hub: **{plain(provider.name)}**{speaks}")
            st.caption(f"{plain(provider.base_url)} · {plain(names or 'no models yet')}")
        if st.button("Test", key=f"test_{provider.id}", type="tertiary", icon=":material/network_check:"):
            with reported_errors():
                found = current_studio().providers.test(current_actor(), provider.id)
                st.toast(f"It answers, with {len(found)} models.", icon=":material/check:")
        if st.button("Change", key=f"change_{provider.id}", type="tertiary", icon=":material/edit:"):
            provider_dialog(project, provider)
