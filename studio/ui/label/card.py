"""One task as editors see it: how far, how well people agree, and what to do next."""

from __future__ import annotations

from collections import Counter

import streamlit as st

from storage.tables import Job, LabelTask
from studio.access.actor import Actor, Role
from studio.label.losing import trouble
from studio.label.publishing import skipped_items
from studio.label.templates import template
from studio.ui.argilla_door import door
from studio.ui.components import job_panel, status_badge
from studio.ui.formats import ago, plain
from studio.ui.label.actions import deciding
from studio.ui.label.figures import figures
from studio.ui.label.quality import quality
from studio.ui.label.words import counted, due, is_overdue
from studio.ui.state import current_studio

REFRESH_S = 5.0


def task_card(task: LabelTask, actor: Actor, project_id: str, *, inside: bool = False) -> None:
    """The whole card; only its figures refresh while the task is open. `inside` an expander it needs no frame."""
    with st.container(border=not inside, key=f"task_{task.id}"):
        if not inside:
            headline(task)
        _links(task, actor)
        sending = latest_job(task, project_id)
        if sending and task.state != "closed" and (sending.status != "succeeded" or task.state == "publishing"):
            job_panel(sending.id, key=f"sending_{task.id}")
        if trouble(task):
            st.warning(plain(trouble(task)), icon=":material/link_off:", title="Argilla no longer has this task")
        _skipped(task)
        if task.backend_ref:
            st.fragment(figures, run_every=REFRESH_S if task.state == "open" else None)(task.id)
        if actor.can(Role.EDITOR):
            deciding(task, current_studio().labeling.progress(task.id).verdicts.get("disputed", 0))
            if task.backend_ref:
                quality(task, actor)


def headline(task: LabelTask) -> None:
    """Name, state, deadline, and what it is."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader(plain(task.name), anchor=False, width="content")
        status_badge(task.state)
        if is_overdue(task.deadline) and task.state != "closed":
            st.badge(due(task.deadline), color="orange", icon=":material/alarm:")
        elif task.deadline and task.state != "closed":
            st.badge(due(task.deadline), color="gray", icon=":material/event:")


def _links(task: LabelTask, actor: Actor) -> None:
    facts = [template(task.template).title, f"by {plain(task.created_by)}, {ago(task.created_at)}"]
    facts += [f"guidelines version {task.guideline_version}"] if task.guideline_version > 1 else []
    facts += [f"answers seen {ago(task.collected_at)}"] if task.collected_at and task.state == "open" else []
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(" · ".join(facts), width="stretch")
        if is_answerable(task) and actor.can(Role.LABELER):
            st.link_button("Open Argilla", door(task.id), icon=":material/open_in_new:")


def _skipped(task: LabelTask) -> None:
    """What could not be asked about, and why."""
    reasons = Counter(each.reason for each in skipped_items(task))
    if reasons:
        said = "; ".join(f"{counted(count, 'example')} because {reason}" for reason, count in reasons.most_common())
        st.caption(f":material/info: Not sent: {plain(said)}.")


def is_answerable(task: LabelTask) -> bool:
    """Whether people find it on the platform now."""
    return task.state == "open" and bool(task.backend_ref) and not trouble(task)


def latest_job(task: LabelTask, project_id: str) -> Job | None:
    """The last time this task was sent, if that is not long ago."""
    jobs = current_studio().jobs.recent(project_id, limit=50, kinds=("publish",))
    return next((job for job in jobs if job.spec.get("task_id") == task.id), None)
