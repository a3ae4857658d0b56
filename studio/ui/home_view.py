"""The parts of Home: first steps, the four figures, the next best step, the loop, what is going on."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from storage.tables import Job, Project
from storage.types import now
from studio.access.actor import Role
from studio.ui.components import job_panel, status_badge
from studio.ui.figures import minus, week_figures
from studio.ui.formats import ago, plain
from studio.ui.loop import Step
from studio.ui.navigation import page_named
from studio.ui.sample import sample_button
from studio.ui.settings.projects import project_dialog
from studio.ui.state import current_actor, current_studio

WEEK = timedelta(days=7)
THE_LOOP = {
    "capture": "Every call, with one line changed",
    "curate": "Good ones in, duplicates out",
    "label": "People correct a sample",
    "train": "A small model learns them",
    "evaluate": "Is it better, and how surely?",
    "deploy": "Behind the same name, with undo",
    "improve": "Feedback starts the next turn",
}
STATE_MARKS = {
    "done": ":green[:material/check_circle:]",
    "next": ":primary[:material/play_circle:]",
    "busy": ":blue[:material/progress_activity:]",
    "later": ":gray[:material/circle:]",
}


def first_steps() -> None:
    """No project yet: what the product does, and two ways to begin."""
    makes = current_actor().can(Role.EDITOR)
    with st.container(border=True, key="hero", gap="small"):
        st.markdown("### Turn your own LLM traffic into a smaller, cheaper, better model")
        st.markdown(":gray[Capture calls, keep the good ones, correct some, train, compare, deploy. Repeat.]")
        with st.container(horizontal=True, gap="small"):
            sample_button("home_sample", first=True)
            if st.button("New project", icon=":material/create_new_folder:", key="first_project", disabled=not makes):
                project_dialog()
        st.caption(
            "The sample makes 2,100 support tickets and answers them with a noisy model through the gateway. "
            "Everything runs on this machine; nothing leaves it."
        )
    with st.grid(7, min_column_width=128, gap="small"):
        for number, (name, what) in enumerate(THE_LOOP.items(), 1):
            with st.container(border=True, height="stretch", gap="xsmall"):
                st.markdown(f":primary[:material/{page_named(name).icon}:] :gray[{number}]")
                st.markdown(f"**{name.capitalize()}**")
                st.caption(what)


def connect(project: Project) -> None:
    """No call yet: the one line to change, and a line that notices the first call."""
    gateway = current_studio().settings.gateway_url
    with st.container(border=True, key="connect", gap="small"):
        st.markdown("##### Connect your feature")
        st.markdown(":gray[Set two arguments where your code makes its OpenAI client. Nothing else changes.]")
        st.code(f'client = OpenAI(\n    base_url="{gateway}/v1",\n    api_key="wk-…",\n)', language="python")
        with st.container(horizontal=True, gap="small"):
            settings = page_named("settings")
            if current_actor().role in settings.seen_by:
                st.page_link(settings.path, label="Create an API key and add your provider", icon=":material/key:")
        _wait_for_calls(project.id)


@st.fragment(run_every=2)
def _wait_for_calls(project_id: str) -> None:
    if current_studio().logs.totals(project_id).calls:
        st.rerun()
    st.caption(":material/hourglass_empty: Waiting for the first call…")


def figures(project: Project) -> None:
    """Calls, errors, latency and spend of the last seven days, against the seven before."""
    logs, since = current_studio().logs, (now() - WEEK).replace(minute=0, second=0, microsecond=0)
    week = logs.totals(project.id, since)
    before = minus(logs.totals(project.id, since - WEEK), week)
    with st.grid(4, min_column_width=180, gap="small"):
        for figure in week_figures(week, before):
            st.metric(
                figure.label,
                figure.value,
                figure.change,
                delta_color=figure.color,
                delta_description="vs week before" if figure.change is not None else None,
                help=figure.help,
                border=True,
                height="stretch",
            )


def next_best_step(step: Step) -> None:
    """The one thing to do now."""
    entry = page_named(step.page)
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="next"
    ):
        with st.container(gap=None, width="content"):
            st.markdown(f":primary[:material/auto_awesome:] **{step.title}**")
            st.caption(step.why)
        if st.button(step.button, type="primary", icon=":material/arrow_forward:", icon_position="right", key="go"):
            st.switch_page(entry.path)


def the_loop(steps: list[Step]) -> None:
    """The seven steps side by side, each a link to its page."""
    with st.grid(7, min_column_width=128, gap="small"):
        for number, step in enumerate(steps, 1):
            with st.container(border=True, height="stretch", gap="xsmall", key=f"step_{step.page}"):
                st.markdown(f"{STATE_MARKS['busy' if step.busy else step.state]} :gray[{number}]")
                entry = page_named(step.page)
                if st.button(f"**{entry.title}**", key=f"open_{step.page}", type="tertiary", help=entry.help):
                    st.switch_page(entry.path)
                st.caption(step.fact)


def activity(project: Project) -> None:
    """Jobs that wait or run, with progress, then the latest that ended."""
    jobs = current_studio().jobs.recent(project.id, limit=8)
    running = [job for job in jobs if job.finished_at is None]
    for job in running:
        job_panel(job.id, key=f"home_{job.id}")
    ended = sorted((job for job in jobs if job.finished_at), key=lambda job: job.finished_at or now(), reverse=True)
    if ended:
        with st.container(border=True, gap="small", key="activity"):
            st.markdown("##### Recent activity")
            for job in ended:
                _ended(job)


def _ended(job: Job) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        with st.container(width=110):
            status_badge(job.status)
        st.markdown(plain(job.title or job.kind), width="stretch")
        st.caption(f"{plain(job.created_by)}, {ago(job.finished_at)}", width="content")
