"""What an editor may do with a task; every button calls one verb and tells its error as a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import streamlit as st

from storage.tables import LabelTask
from studio.label.losing import trouble
from studio.label.templates import template
from studio.ui.formats import plain
from studio.ui.label.deadline import deadline_dialog
from studio.ui.label.guidelines import guidelines_dialog
from studio.ui.navigation import page_path
from studio.ui.state import current_actor, current_studio, reported_errors

Look = Literal["primary", "secondary", "tertiary"]
DONE = "label_done"


def deciding(task: LabelTask, disputed: int) -> None:
    """The row of buttons, then what applying the answers did."""
    with st.container(horizontal=True, gap="small"):
        _apply(task)
        if disputed:
            _review(task, disputed)
        _state_buttons(task)
        if _small("Guidelines", "guidelines", "menu_book", task):
            guidelines_dialog(task)
        if task.state != "closed" and _small("Deadline", "deadline", "event", task):
            deadline_dialog(task)
    done_for, said = st.session_state.get(DONE, ("", ""))
    if done_for == task.id:
        st.success(f"{plain(said)}. Freeze a version on Curate so that models learn from it.", title="Answers applied")


def _apply(task: LabelTask) -> None:
    ready = task.backend_ref and template(task.template).decides
    if ready and st.button("Apply answers", key=f"apply_{task.id}", icon=":material/done_all:"):
        with reported_errors():
            studio = current_studio()
            if task.state != "closed":
                studio.labeling.sync(task.id)
            st.session_state[DONE] = (task.id, str(studio.labeling.apply(current_actor(), task.id)))
            st.rerun()


def _review(task: LabelTask, disputed: int) -> None:
    label = f"Start a review session ({disputed:,})"
    if st.button(label, key=f"review_{task.id}", icon=":material/rate_review:"):
        st.switch_page(page_path("review"), query_params={"task": task.id})


def _state_buttons(task: LabelTask) -> None:
    labeling = current_studio().labeling
    if trouble(task) and task.state != "closed":
        told = "Makes the task on Argilla again. Answers collected so far count; they are not asked again."
        _verb("Send again", "again", "send", task, labeling.send_again, told, "secondary")
    elif task.state == "open":
        _verb("Pause", "pause", "pause_circle", task, labeling.pause, "Nobody is asked any more; answers stay.")
    if task.state in ("paused", "closed"):
        _verb("Reopen", "reopen", "play_circle", task, labeling.reopen, "People are asked again.")
    if task.state != "closed":
        told = "Collects one last time and stops. Examples that are not answered are free for another task."
        _verb("Close task", "close", "lock", task, labeling.close, told)


def _verb(
    label: str, key: str, icon: str, task: LabelTask, verb: Callable[..., object], told: str, look: Look = "tertiary"
) -> None:
    if _small(label, key, icon, task, told, look):
        with reported_errors():
            verb(current_actor(), task.id)
            st.rerun()


def _small(label: str, key: str, icon: str, task: LabelTask, told: str | None = None, look: Look = "tertiary") -> bool:
    return st.button(label, key=f"{key}_{task.id}", icon=f":material/{icon}:", type=look, help=told)
