"""A dataset of the Hub in the import dialog: which one, and the job that fetches it."""

from __future__ import annotations

import streamlit as st

from storage.tables import Job, Project
from studio.errors import NotFound
from studio.ui.capture import import_state as state
from studio.ui.formats import plain
from studio.ui.job_panel import UNFINISHED
from studio.ui.state import current_actor, current_studio, reported_errors

EVERY_S = 1.0


def hub_form(project: Project) -> None:
    """Name a dataset; once it is fetched it is previewed as a file would be."""
    job = _job()
    if job is not None and job.status in UNFINISHED:
        st.fragment(_wait, run_every=EVERY_S)(project, job.id)
        return
    if job is not None and job.status == "failed":
        st.error(plain(job.error or "The dataset could not be fetched."), icon=":material/error:")
    with st.form("hub_dataset", border=False):
        dataset = st.text_input("Dataset", placeholder="owner/name, or its address", key="hub_name", max_chars=200)
        with st.container(horizontal=True, gap="small"):
            config = st.text_input("Subset", placeholder="The default one", key="hub_config", max_chars=100)
            split = st.text_input("Split", placeholder="train", key="hub_split", max_chars=100)
        if st.form_submit_button("Fetch", type="primary", icon=":material/cloud_download:"):
            with reported_errors():
                fetched = current_studio().imports.fetch(
                    current_actor(), project.id, dataset, config=config, split=split
                )
                state.wait_for(fetched.id)
                st.rerun(scope="fragment")
    st.caption("Fetched to this machine's disk, then previewed. A private dataset needs HF_TOKEN set for the studio.")


def _wait(project: Project, job_id: str) -> None:
    job = current_studio().jobs.get(job_id)
    if job.status not in UNFINISHED:
        if job.status == "succeeded":
            state.wait_for(None)
            state.choose_uploads(project.id, [str(job.result["upload"])])
        st.rerun()
    st.markdown(f"**{plain(job.title)}**")
    doing = current_studio().jobs.waits_for(job) if job.status == "queued" else job.progress_text or "Working"
    st.progress(min(max(job.progress, 0.0), 1.0), text=f":gray[{plain(doing)}]")
    if st.button("Cancel", key="hub_cancel", type="tertiary", icon=":material/close:", disabled=job.cancel_requested):
        with reported_errors():
            current_studio().jobs.cancel(current_actor(), job.id)


def _job() -> Job | None:
    job_id = state.fetch_job()
    if job_id is None:
        return None
    try:
        return current_studio().jobs.get(job_id)
    except NotFound:
        state.wait_for(None)
        return None
