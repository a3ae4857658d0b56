"""The tasks of a project: the chosen or newest open one in full, all others as rows that open."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from storage.tables import LabelTask
from studio.access.actor import Actor
from studio.label.templates import template
from studio.ui.formats import plain
from studio.ui.label.card import task_card
from studio.ui.label.words import due, is_overdue
from studio.ui.state import current_studio

STATES = ("open", "publishing", "paused", "closed")
EVERY = "all"
PAGE = 12


def task_list(tasks: Sequence[LabelTask], actor: Actor, project_id: str) -> None:
    """Filter by state, one card, then rows."""
    shown = in_order(_filtered(tasks), st.query_params.get("id"))
    if not shown:
        st.caption("No task in this state.")
    for task in shown[:1]:
        task_card(task, actor, project_id)
    for task in _page_of(shown[1:]):
        with st.expander(_row(task), key=f"older_{task.id}", on_change="rerun") as older:
            if older.open:
                task_card(task, actor, project_id, inside=True)


def in_order(tasks: Sequence[LabelTask], chosen: str | None) -> list[LabelTask]:
    """The one in the address, then what is open, then what is paused, then closed; newest first among equals."""
    return sorted(tasks, key=lambda task: (task.id != chosen, task.state == "closed", task.state == "paused"))


def _filtered(tasks: Sequence[LabelTask]) -> list[LabelTask]:
    present = [state for state in STATES if any(task.state == state for task in tasks)]
    if len(tasks) < 3 or len(present) < 2:
        return list(tasks)
    counts = {EVERY: len(tasks), **{state: sum(task.state == state for task in tasks) for state in present}}
    wanted = st.segmented_control(
        "State",
        list(counts),
        default=EVERY,
        required=True,
        format_func=lambda state: f"{state.capitalize()} {counts[state]}",
        key="label_state",
        persist_state="session",
        label_visibility="collapsed",
    )
    return [task for task in tasks if wanted in (EVERY, None, task.state)]


def _page_of(tasks: list[LabelTask]) -> list[LabelTask]:
    pages = -(-len(tasks) // PAGE)
    if pages < 2:
        return tasks
    at = st.pagination(pages, key="label_page")
    return tasks[(at - 1) * PAGE : at * PAGE]


def _row(task: LabelTask) -> str:
    progress = current_studio().labeling.progress(task.id)
    facts = [task.state, f"{progress.complete:,} of {progress.items:,}", template(task.template).title]
    if is_overdue(task.deadline) and task.state != "closed":
        facts.append(due(task.deadline))
    return f"**{plain(task.name)}** :gray[{plain(' · '.join(facts))}]"
