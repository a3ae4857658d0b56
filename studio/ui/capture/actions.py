"""What one does on the Capture page: add calls to a dataset, connect a feature, import a file, load the sample."""

from __future__ import annotations

import streamlit as st

from storage.tables import Dataset, Project
from studio.access.actor import Role
from studio.ui.capture.filters import calls_in_words, chosen_filter
from studio.ui.capture.import_dialog import import_dialog
from studio.ui.navigation import page_named
from studio.ui.settings.secret import show_once
from studio.ui.state import current_actor, current_studio, open_project, reported_errors

NEW = "New dataset"


@st.dialog("Add to dataset", icon=":material/playlist_add:")
def add_dialog(project: Project) -> None:
    """Choose or make a dataset, and add every call that the filters show."""
    criteria = chosen_filter(project)
    datasets = current_studio().datasets.all(project.id)
    names = [dataset.name for dataset in datasets]
    matched = calls_in_words(current_studio().logs.count(criteria))
    st.markdown(f"{matched} matched by the filters. Calls already added are skipped.")
    chosen = st.selectbox("Dataset", [*names, NEW], key="add_to", accept_new_options=False)
    name = st.text_input("Name", value="" if names else "main", max_chars=120, key="add_name") if chosen == NEW else ""
    st.caption("Repeated prompts, failed calls and broken answers go in as left out, with the reason.")
    if st.button("Add calls", type="primary", key="add_now"):
        with reported_errors():
            dataset = _dataset(project, datasets, chosen, name)
            current_studio().datasets.add_logs(current_actor(), dataset.id, criteria)
            st.rerun()


def _dataset(project: Project, datasets: list[Dataset], chosen: str, name: str) -> Dataset:
    if chosen == NEW:
        return current_studio().datasets.create(current_actor(), project.id, name)
    return next(dataset for dataset in datasets if dataset.name == chosen)


@st.dialog("Connect your feature", width="medium", icon=":material/cable:")
def connect_dialog(project: Project) -> None:
    """The lines to change, and a key."""
    snippet(project)


def snippet(project: Project) -> None:
    """How calls get here: base URL, key and model name, ready to copy."""
    gateway = current_studio().settings.gateway_url
    st.markdown(":gray[Set two arguments where your code makes its OpenAI client. Nothing else changes.]")
    python = f'client = OpenAI(\n    base_url="{gateway}/v1",\n    api_key="wk-…",\n)\n'
    call = f"client.chat.completions.create(model={_model_name(project)!r}, messages=[...])"
    st.code(f"from openai import OpenAI\n\n{python}{call}", language="python")
    if current_actor().can(Role.EDITOR):
        _new_key(project)
    settings = page_named("settings")
    if current_actor().role in settings.seen_by:
        st.page_link(settings.path, label="Add your provider's address and key", icon=":material/dns:")
    with st.expander("Send feedback from your product", icon=":material/thumbs_up_down:", key="feedback_snippet"):
        st.code(
            f"curl {gateway}/v1/feedback -H 'Authorization: Bearer wk-…' \\\n"
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
        snippet(project)
        _wait_for_calls(project.id)
    makes = current_actor().can(Role.EDITOR)
    with st.container(horizontal=True, gap="small"):
        if st.button("Import a file", icon=":material/upload_file:", key="first_import", disabled=not makes):
            import_dialog(project)
        if st.button("Load the sample project", icon=":material/science:", key="first_sample", disabled=not makes):
            load_sample()


@st.fragment(run_every=2)
def _wait_for_calls(project_id: str) -> None:
    if current_studio().logs.newest_id(project_id):
        st.rerun()
    st.caption(":material/hourglass_empty: Waiting for the first call…")


def load_sample() -> None:
    """Send the sample project's calls, and open it."""
    with reported_errors():
        job = current_studio().sample.start(current_actor())
        if job.project_id:
            open_project(current_studio().projects.get(job.project_id).name)
        st.rerun()
