"""How calls get here: the lines to change for each source, a key, and the wait for the first call."""

from __future__ import annotations

import streamlit as st

from storage.tables import Project
from studio.access.actor import Role
from studio.capture.sources import SOURCES, Source
from studio.ui.capture.import_dialog import import_dialog
from studio.ui.navigation import page_named
from studio.ui.sample import sample_button
from studio.ui.settings.secret import show_once
from studio.ui.state import current_actor, current_studio, reported_errors

KEY_MADE = "capture_key_made"


def connect_dialog(project: Project) -> None:
    """The lines to change, a key, and a word when the first call since now is there."""
    _connect(project, current_studio().logs.newest_id(project.id))


@st.dialog("Connect your feature", width="large", icon=":material/cable:")
def _connect(project: Project, newest: int) -> None:
    sources(project, "dialog")
    st.fragment(_wait_for_next, run_every=2)(project.id, newest)


def _wait_for_next(project_id: str, newest: int) -> None:
    if current_studio().logs.newest_id(project_id) > newest:
        st.success("A call arrived. Close this to read it.", icon=":material/check:")
    else:
        st.caption(":material/hourglass_empty: Waiting for the next call…")


def sources(project: Project, where: str) -> None:
    """One choice per source with its snippet, ready to copy."""
    names = {source.name: source for source in SOURCES}
    chosen = st.pills(
        "Where the calls come from",
        list(names),
        default=SOURCES[0].name,
        format_func=lambda name: names[name].label,
        key=f"source_{where}",
        required=True,
    )
    _snippet(project, names.get(chosen or "", SOURCES[0]))
    if current_actor().can(Role.EDITOR):
        _new_key(project)
    settings = page_named("settings")
    if current_actor().role in settings.seen_by:
        st.page_link(settings.path, label="Add your provider's address and key", icon=":material/dns:")
    _feedback()


def _snippet(project: Project, source: Source) -> None:
    st.caption(source.note)
    gateway = current_studio().settings.gateway_url
    st.code(source.snippet(gateway, model=_model_name(project)), language=source.language)


def _feedback() -> None:
    with st.expander("Send feedback from your product", icon=":material/thumbs_up_down:", key="feedback_snippet"):
        st.code(
            f"curl {current_studio().settings.gateway_url}/v1/feedback -H 'Authorization: Bearer wk-…' \\\n"
            '  -d \'{"external_id": "<the answer\\\'s id>", "kind": "thumbs", "value": 1}\'',
            language="bash",
        )


def _new_key(project: Project) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = st.text_input("API key for", placeholder="The program that uses it", key="capture_key_name")
        if st.button("Create API key", icon=":material/key:", key="capture_new_key"):
            with reported_errors():
                key, secret = current_studio().keys.create(current_actor(), project.id, name)
                show_once(f"API key of {key.name}", secret)


def _model_name(project: Project) -> str:
    studio = current_studio()
    aliases = [deployment.alias for deployment in studio.deployments.all(project.id)]
    names = [name for provider in studio.providers.all(project.id) for name in provider.models if name != "*"]
    return next(iter([*aliases, *names]), "gpt-4o-mini")


def first_calls(project: Project) -> None:
    """No call yet: connect, import, or look at the sample."""
    with st.container(border=True, key="first_calls", gap="small"):
        st.markdown("#### No calls yet")
        sources(project, "first")
        st.fragment(_wait_for_calls, run_every=2)(project.id)
    makes = current_actor().can(Role.EDITOR)
    with st.container(horizontal=True, gap="small"):
        if st.button("Import a file", icon=":material/upload_file:", key="first_import", disabled=not makes):
            import_dialog(project)
        sample_button("first_sample")


def _wait_for_calls(project_id: str) -> None:
    if current_studio().logs.newest_id(project_id):
        st.rerun()
    st.caption(":material/hourglass_empty: Waiting for the first call…")
