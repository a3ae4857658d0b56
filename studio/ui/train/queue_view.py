"""The queue: what trains now, what waits and for what, and the buttons that change the order."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from storage.tables import Job
from studio.access.actor import Actor, Role
from studio.jobs.ordering import next_tonight
from studio.ui.components import status_badge
from studio.ui.formats import plain, span
from studio.ui.job_panel import UNFINISHED
from studio.ui.navigation import page_path
from studio.ui.state import current_actor, current_studio, reported_errors

EVERY_S = 2.0
SEEN = "queue_seen"


def queue(project_id: str) -> None:
    """What runs and what waits; the page reruns once when something has ended."""
    jobs = current_studio().jobs.active(project_id)
    st.session_state[SEEN] = {job.id for job in jobs}
    if jobs:
        st.fragment(_queue, run_every=EVERY_S)(project_id)


def _queue(project_id: str) -> None:
    studio = current_studio()
    active, waiting = studio.jobs.active(project_id), studio.jobs.queue(project_id)
    if st.session_state[SEEN] - {job.id for job in active}:
        st.rerun()
    runs = {str(run.job_id): run.id for run in studio.training.all(project_id)}
    st.subheader("Queue", anchor=False)
    for job in active:
        if job.status != "queued":
            _running(job, runs.get(job.id))
    titles = {job.id: job.title for job in active}
    for place, job in enumerate(waiting, start=1):
        _waiting(place, len(waiting), job, runs.get(job.id), titles)


def _running(job: Job, run_id: str | None) -> None:
    left = current_studio().jobs.eta_seconds(job)
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small", key=f"now_{job.id}"):
        _name(job, run_id)
        status_badge(job.status)
        text = f"{job.progress:.0%}" + (f", about {span(left)} left" if left else "")
        st.progress(min(max(job.progress, 0.0), 1.0), text=f":gray[{text}]", width="stretch")
        _button("Cancel", "close", job, lambda actor: current_studio().jobs.cancel(actor, job.id))


def _waiting(place: int, waiting: int, job: Job, run_id: str | None, titles: dict[str, str]) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small", key=f"wait_{job.id}"):
        st.markdown(f":gray[{place}]", width=24)
        _name(job, run_id)
        st.caption(plain(waits_for(job, titles)), width="stretch")
        if current_actor().can(Role.EDITOR):
            _moves(place, waiting, job)
        _button("Cancel", "close", job, lambda actor: current_studio().jobs.cancel(actor, job.id))


def _moves(place: int, waiting: int, job: Job) -> None:
    jobs = current_studio().jobs
    if place > 1:
        _button("Up", "arrow_upward", job, lambda actor: jobs.move(actor, job.id, "up"))
    if place < waiting:
        _button("Down", "arrow_downward", job, lambda actor: jobs.move(actor, job.id, "down"))
    if place > 2:
        _button("First", "vertical_align_top", job, lambda actor: jobs.move(actor, job.id, "first"))
    if job.not_before:
        _button("Now", "play_arrow", job, lambda actor: jobs.postpone(actor, job.id, None))
    else:
        _button(
            "Tonight",
            "bedtime",
            job,
            lambda actor: jobs.postpone(actor, job.id, next_tonight(current_studio().settings.tonight)),
        )


def waits_for(job: Job, titles: dict[str, str]) -> str:
    """Why the job does not run yet."""
    if job.after_job_id:
        return f"after {titles.get(job.after_job_id, 'the run before it')}"
    if job.not_before:
        return f"not before {job.not_before.astimezone():%H:%M on %d %b}"
    return "waits for a free slot"


def _name(job: Job, run_id: str | None) -> None:
    label = plain(job.title or job.kind)
    with st.container(width=290):
        if run_id:
            st.page_link(page_path("train"), label=label, query_params={"run": run_id})
        else:
            st.markdown(label)


def _button(label: str, icon: str, job: Job, act: Callable[[Actor], object]) -> None:
    if not current_actor().can(Role.EDITOR) or job.status not in UNFINISHED:
        return
    if st.button(label, key=f"{label}_{job.id}", type="tertiary", icon=f":material/{icon}:"):
        with reported_errors():
            act(current_actor())
            st.rerun()
