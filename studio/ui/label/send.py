"""Send to teammates: four short steps beside a live preview. Everything has a good default."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import streamlit as st

from storage.tables import Dataset, Project
from studio.label.draft import Preview, TaskDraft
from studio.label.templates import template
from studio.ui.label.ask import CHOSEN, choose_template, template_options
from studio.ui.label.choose import which_examples, who_answers
from studio.ui.label.guidelines import show_guidelines
from studio.ui.label.preview import live_preview
from studio.ui.label.words import counted
from studio.ui.state import current_actor, current_studio, reported_errors

STEPS = ("1 · What to ask", "2 · Which examples", "3 · Who", "4 · Guidelines")
NAME = "Golden set"


def open_send_dialog(project: Project) -> None:
    """Start with the defaults, whatever was chosen the last time."""
    st.session_state.pop(CHOSEN, None)
    send_dialog(project)


@st.dialog("Send to teammates", width="large", icon=":material/send:")
def send_dialog(project: Project) -> None:
    """The form in a wide dialog."""
    send_form(project)


def send_form(project: Project) -> None:
    """Name, four steps, what will be sent, and Send."""
    datasets = current_studio().datasets.all(project.id)
    left, right = st.columns(2)
    name = left.text_input("Name of the task", free_name(_names(project)), max_chars=120, key="send_name")
    dataset = right.selectbox("Dataset", datasets, format_func=lambda each: each.name, key="send_dataset")
    if dataset is None:
        return
    form, preview = st.columns([7, 5], gap="medium")
    with form:
        draft = _steps(dataset, name)
    with preview:
        found = live_preview(draft)
    _footer(draft, found)


def _steps(dataset: Dataset, name: str) -> TaskDraft:
    asking, examples, people, guide = st.tabs(STEPS, key="send_step")
    with asking:
        kind = choose_template()
        options = template_options(kind, dataset)
    with examples:
        chosen = which_examples(dataset)
    with people:
        who = who_answers(kind)
    with guide:
        guidelines = _guidelines(kind)
    facts: dict[str, Any] = {**chosen, **who, "options": options, "guidelines": guidelines}
    return TaskDraft(dataset.id, name, kind, **facts)


def _guidelines(kind: str) -> str:
    text = st.text_area("Guidelines (Markdown)", template(kind).guidelines, height=240, key=f"send_guide_{kind}")
    with st.expander("As people read them", icon=":material/visibility:"):
        show_guidelines(text)
    return text


def _footer(draft: TaskDraft, found: Preview | None) -> None:
    ready = found is not None and found.total > 0
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption(summary(draft, found.total) if found and ready else "Nothing to send yet.", width="content")
        if st.button("Send", type="primary", icon=":material/send:", key="send_now", disabled=not ready):
            with reported_errors():
                made = current_studio().labeling.create(current_actor(), draft)
                st.query_params["id"] = made.id
                st.rerun()


def summary(draft: TaskDraft, total: int) -> str:
    """What pressing Send does, in one line."""
    whom = [counted(len(draft.people), "person")] if draft.people else []
    whom += [counted(len(draft.teams), "team")] if draft.teams else []
    each = counted(draft.answers_per_item, "answer")
    sent = f"{counted(total, 'example')} will be sent to {' and '.join(whom) or 'everybody who may label'}"
    return f"{sent}, {each} each: {total * draft.answers_per_item:,} in all."


def free_name(taken: Sequence[str]) -> str:
    """A name no task of the project has yet."""
    if NAME not in taken:
        return NAME
    day = f"{date.today():%-d %B}"
    names = (f"{NAME}, {day}", *(f"{NAME}, {day}, {number}" for number in range(2, 100)))
    return next((name for name in names if name not in taken), NAME)


def _names(project: Project) -> list[str]:
    return [task.name for task in current_studio().labeling.all(project.id)]
