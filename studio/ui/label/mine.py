"""A labeler's Label page: their own tasks, how much is left, the guidelines, and the way into Argilla."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from storage.tables import LabelTask
from studio.access.actor import Actor
from studio.label.tasks import Answered
from studio.ui.argilla_door import door
from studio.ui.components import empty_state
from studio.ui.formats import plain
from studio.ui.label.card import headline, is_answerable
from studio.ui.label.guidelines import show_guidelines
from studio.ui.label.platform import platform_health
from studio.ui.label.words import counted
from studio.ui.state import current_studio

FRAME_HEIGHT = 860
REFRESH_S, LOOK_S = 5.0, 10.0


def my_tasks(actor: Actor) -> list[LabelTask]:
    """The tasks of every project that ask this person, the most urgent first."""
    studio = current_studio()
    tasks = [task for project in studio.projects.all() for task in studio.labeling.all(project.id)]
    mine = [task for task in tasks if not task.assignees or actor.username in task.assignees]
    far = max((task.deadline for task in mine if task.deadline), default=None)
    return sorted(mine, key=lambda task: (task.state != "open", task.deadline is None, task.deadline or far))


def labeler_page(actor: Actor) -> None:
    """Open tasks in full, waiting ones as a line, finished ones as a count."""
    tasks = my_tasks(actor)
    current = [task for task in tasks if is_answerable(task)]
    if not current:
        empty_state(
            "task_alt",
            "Nothing to label right now",
            "When a teammate sends you examples, they appear here. You can leave this page open.",
        )
    else:
        platform_health(only_trouble=True)
        framed = _framed(current)
        for task in current:
            _card(task, actor, framed)
    _others(tasks)
    st.fragment(_look_again, run_every=LOOK_S)(actor, _outline(tasks))


def _look_again(actor: Actor, shown: str) -> None:
    """Draw the page again when a task came, was paused, or went."""
    if _outline(my_tasks(actor)) != shown:
        st.rerun()


def _outline(tasks: Sequence[LabelTask]) -> str:
    return repr([(task.id, task.state, is_answerable(task), task.deadline, task.guideline_version) for task in tasks])


def _framed(tasks: Sequence[LabelTask]) -> str:
    """The task whose Argilla is shown in the page; empty for a new tab, as last chosen."""
    here = st.toggle(
        "Answer in this page",
        key="here",
        bind="query-params",
        persist_state="session",
        help="Shows Argilla below the task instead of in a new tab. The choice is kept in the address.",
    )
    if not here:
        return ""
    chosen = st.query_params.get("id", "")
    return chosen if chosen in {task.id for task in tasks} else tasks[0].id


def _card(task: LabelTask, actor: Actor, framed: str) -> None:
    with st.container(border=True, key=f"task_{task.id}"):
        headline(task)
        st.fragment(_left, run_every=REFRESH_S)(task.id, actor.username)
        if framed and framed != task.id:
            _show_here(task)
        elif not framed:
            st.link_button("Open Argilla", door(task.id), icon=":material/open_in_new:", type="primary")
        with st.expander("Guidelines", icon=":material/menu_book:"):
            show_guidelines(task.guidelines)
        if framed == task.id:
            st.iframe(door(task.id), height=FRAME_HEIGHT, alt=f"Argilla: {task.name}")


def _show_here(task: LabelTask) -> None:
    if st.button("Answer this one", key=f"show_{task.id}", icon=":material/edit_note:"):
        st.query_params["id"] = task.id
        st.rerun()


def _left(task_id: str, username: str) -> None:
    """How much this person has done and how much is left for them."""
    labeling = current_studio().labeling
    mine, left = labeling.progress(task_id).per_person.get(username, Answered()), labeling.left(task_id, username)
    done = mine.submitted + mine.discarded
    st.progress(done / max(done + left, 1), text=f"**{left:,} left for you** · {counted(done, 'example')} done")
    if mine.drafts:
        st.caption(f"{counted(mine.drafts, 'draft')} not yet submitted.")
    if not left:
        st.caption(":green[:material/celebration:] All done. Thank you!")


def _others(tasks: Sequence[LabelTask]) -> None:
    for task in tasks:
        if task.state == "paused":
            st.caption(f":material/pause_circle: {plain(task.name)} is paused. You are told here when it goes on.")
        elif task.state == "publishing":
            st.caption(f":material/schedule: {plain(task.name)} is being prepared.")
    closed = sum(task.state == "closed" for task in tasks)
    if closed:
        st.caption(f"{counted(closed, 'task')} you took part in {'is' if closed == 1 else 'are'} closed.")
