"""Settings, API keys: what programs show to the gateway."""

from __future__ import annotations

import streamlit as st

from storage.tables import ApiKey, Project
from studio.access.keys import has_expired
from studio.ui.components import empty_state, status_badge
from studio.ui.formats import ago, plain
from studio.ui.settings.key_form import allowed_fields, may
from studio.ui.settings.secret import show_once
from studio.ui.state import current_actor, current_studio, reported_errors


def keys_tab(project: Project) -> None:
    """The project's keys; a new one is shown once."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption(f"Programs show a key to the gateway to be recorded in {plain(project.name)}.", width="content")
        if st.button("Create key", icon=":material/key:", type="primary", key="create_key"):
            key_dialog(project)
    keys = current_studio().keys.all(project.id)
    if not keys:
        empty_state("key", "No key yet", "Create one and set it as api_key in your OpenAI client.", key="no_keys")
    for key in keys:
        _key_row(key)


def _key_row(key: ApiKey) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small", key=f"k_{key.id}"):
        with st.container(gap=None, width="stretch"):
            st.markdown(f":material/key: **{plain(key.name)}** :gray[`{key.prefix}…`]")
            st.caption(f"Created {ago(key.created_at)}, used {ago(key.last_used_at)}; {may(key)}")
        if key.revoked_at:
            status_badge("revoked")
            return
        if has_expired(key):
            status_badge("expired")
        if st.button("Change", key=f"change_{key.id}", type="tertiary", icon=":material/edit:"):
            change_dialog(key)
        if st.button("Revoke", key=f"revoke_{key.id}", type="tertiary", icon=":material/block:"):
            revoke_dialog(key)


@st.dialog("Create an API key", icon=":material/key:")
def key_dialog(project: Project) -> None:
    """Names the key and shows it once."""
    with st.form("key_form", border=False):
        name = st.text_input("Name", placeholder="The program that uses it, for example checkout-service")
        allowed = allowed_fields()
        if not st.form_submit_button("Create key", type="primary"):
            return
    with reported_errors():
        key, secret = current_studio().keys.create(current_actor(), project.id, name, allowed)
        show_once(f"API key {plain(key.name)}", secret)


@st.dialog("Change this key", icon=":material/key:")
def change_dialog(key: ApiKey) -> None:
    """What it may do from now on; its secret stays the same."""
    with st.form("key_change_form", border=False):
        st.markdown(f"**{plain(key.name)}**")
        allowed = allowed_fields(key)
        if not st.form_submit_button("Save key", type="primary"):
            return
    with reported_errors():
        current_studio().keys.change(current_actor(), key.id, allowed)
        st.rerun()


@st.dialog("Revoke this key?", icon=":material/block:")
def revoke_dialog(key: ApiKey) -> None:
    """Asks once more, because programs with the key stop at once."""
    st.markdown(f"Programs that use **{plain(key.name)}** are refused from now on.")
    if st.button("Revoke key", type="primary", key="revoke_now"):
        with reported_errors():
            current_studio().keys.revoke(current_actor(), key.id)
            st.rerun()
