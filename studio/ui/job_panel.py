"""One job on screen: progress, time left, cancel, and what went wrong. Only this part refreshes, once a second."""

from __future__ import annotations

import streamlit as st

from storage.tables import Job
from studio.access.actor import Role
from studio.ui.formats import ago, plain, span
from studio.ui.state import current_actor, current_studio, reported_errors
from studio.ui.statuses import status_look

UNFINISHED = frozenset({"queued", "starting", "running", "cancelling"})
STOPPED = frozenset({"failed", "cancelled"})


def job_panel(job_id: str, *, key: str) -> None:
    """Show a job until it ends; the whole page reruns once when it does, so that it shows the result."""
    unfinished = current_studio().jobs.get(job_id).status in UNFINISHED
    st.fragment(_panel, run_every=1.0 if unfinished else None)(job_id, key, unfinished)


def _panel(job_id: str, key: str, was_unfinished: bool) -> None:
    job = current_studio().jobs.get(job_id)
    if was_unfinished and job.status not in UNFINISHED:
        st.rerun()
    with st.container(border=True, key=f"{key}_panel", gap="small"):
        _headline(job, key)
        if job.status in UNFINISHED:
            st.progress(min(max(job.progress, 0.0), 1.0), text=f":gray[{plain(_doing(job))}]")
        elif job.status == "failed":
            st.error(plain(job.error or "The job failed without saying why. See its log."), icon=":material/error:")
        elif job.status == "cancelled" and job.error:
            st.warning(plain(job.error), icon=":material/block:")


def _headline(job: Job, key: str) -> None:
    color, icon = status_look(job.status)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{plain(job.title or job.kind)}**", width="content")
        st.badge(job.status, color=color, icon=icon)
        st.caption(_when(job), width="stretch")
        if current_actor().can(Role.EDITOR):
            _buttons(job, key)


def _buttons(job: Job, key: str) -> None:
    jobs = current_studio().jobs
    if job.status in UNFINISHED and st.button(
        "Cancel", key=f"{key}_cancel", type="tertiary", icon=":material/close:", disabled=job.cancel_requested
    ):
        with reported_errors():
            jobs.cancel(current_actor(), job.id)
            st.rerun()
    if job.status in STOPPED and st.button("Try again", key=f"{key}_retry", icon=":material/refresh:"):
        with reported_errors():
            jobs.retry(current_actor(), job.id)
            st.rerun()


def _doing(job: Job) -> str:
    if job.status == "queued":
        return current_studio().jobs.waits_for(job)
    if job.cancel_requested:
        return "Stopping; what is done is kept"
    left = current_studio().jobs.eta_seconds(job)
    parts = [job.progress_text or "Working", f"{job.progress:.0%}", f"about {span(left)} left" if left else ""]
    return " · ".join(part for part in parts if part)


def _when(job: Job) -> str:
    if job.finished_at and job.started_at:
        return f"took {span((job.finished_at - job.started_at).total_seconds())}, {ago(job.finished_at)}"
    return f"by {plain(job.created_by)}, {ago(job.started_at or job.created_at)}"
