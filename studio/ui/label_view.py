"""The parts of the Label page: the form, a task's card, its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from storage.tables import Dataset, Example, LabelTask, Project
from studio.access.actor import Actor, Role
from studio.label.agreement import Agreement
from studio.label.draft import TaskDraft
from studio.label.publishing import shown_messages
from studio.label.sampling import SAMPLES
from studio.label.templates import TEMPLATES
from studio.label.watching import Progress
from studio.ui.argilla_door import PATH
from studio.ui.components import metric_row, status_badge
from studio.ui.formats import ago, plain
from studio.ui.state import current_actor, current_studio, reported_errors

REFRESH_S = 5.0
DONE = "label_done"
PREVIEW_LINES = 240


def platform_health() -> bool:
    """One line on whether Argilla answers; whether it does."""
    health = current_studio().labeling.health()
    if health.ok:
        st.caption(f":green[:material/check_circle:] {plain(health.text)}")
    else:
        st.warning(plain(health.text), icon=":material/cloud_off:", title="Argilla is not reachable")
    return health.ok


@st.dialog("Send to teammates", width="large")
def send_dialog(project: Project) -> None:
    """Everything a task needs, with a real row as the preview."""
    studio, actor = current_studio(), current_actor()
    datasets = studio.datasets.all(project.id)
    dataset = st.selectbox("Dataset", datasets, format_func=lambda each: each.name, key="send_dataset")
    left, right = st.columns(2)
    name = left.text_input("Name of the task", value="Golden set", max_chars=120)
    kind = right.selectbox("Questions", list(TEMPLATES), format_func=lambda each: TEMPLATES[each].title)
    st.caption(TEMPLATES[kind].caption)
    labels = st.text_area("Labels, one per line", height=100).splitlines() if kind == "pick_label" else []
    sample = st.radio("Which examples", list(SAMPLES), format_func=SAMPLES.__getitem__)
    left, right = st.columns(2)
    size = int(left.number_input("How many", 1, 20_000, 60))
    answers = int(right.number_input("Answers per example", 1, 10, 2, help="Two or more let you measure agreement."))
    known = studio.labeling.teammates()
    people = st.multiselect("People", known, default=known, placeholder="Who is asked")
    guidelines = st.text_area("Guidelines (Markdown)", TEMPLATES[kind].guidelines, height=160, key=f"guide_{kind}")
    _preview(dataset, size, sample)
    if st.button("Send", type="primary", icon=":material/send:", disabled=dataset is None) and dataset:
        with reported_errors():
            draft = TaskDraft(
                dataset.id, name, kind, size, answers, tuple(people), guidelines=guidelines, sample=sample
            )
            studio.labeling.create(actor, replace(draft, options={"labels": labels}))
            st.rerun()


def _preview(dataset: Dataset | None, size: int, sample: str) -> None:
    draft = TaskDraft(dataset.id if dataset else "", "Preview", size=size, sample=sample)
    found = current_studio().labeling.preview(draft)
    if not found.items:
        st.warning("No example is left to send: all are verified, excluded or already with people.")
        return
    st.caption(f"{found.total:,} examples will be sent. The first one:")
    with st.container(border=True, height=PREVIEW_LINES):
        conversation(found.items[0].example)
        st.caption("The model's answer, filled in for correction")
        st.code(found.items[0].shown_output, language=None, wrap_lines=True)


def conversation(example: Example) -> None:
    """The prompt as plain text, whatever is in it."""
    for message in shown_messages(example.messages):
        st.caption(plain(message["role"]))
        st.text(message["content"])


def task_card(task: LabelTask, actor: Actor) -> None:
    """One task: who is how far, how well people agree, and what to do next."""
    with st.container(border=True, key=f"task_{task.id}"):
        _headline(task, actor)
        if task.state == "publishing":
            st.caption("The examples are being sent.")
            return
        st.fragment(_figures, run_every=REFRESH_S if task.state == "open" else None)(task.id)
        if actor.can(Role.EDITOR):
            _deciding(task, actor)


def _headline(task: LabelTask, actor: Actor) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"#### {plain(task.name)}", width="content")
        status_badge(task.state)
        collected = f", answers seen {ago(task.collected_at)}" if task.collected_at else ""
        st.caption(f"{TEMPLATES[task.template].title}, by {plain(task.created_by)}{collected}", width="stretch")
        if task.state == "open" and actor.can(Role.LABELER):
            st.link_button("Open Argilla", f"{PATH}?task={task.id}", icon=":material/open_in_new:")


def _figures(task_id: str) -> None:
    labeling = current_studio().labeling
    task, progress = labeling.get(task_id), labeling.progress(task_id)
    answers = "1 answer" if task.answers_per_item == 1 else f"{task.answers_per_item} answers"
    share = progress.complete / max(progress.items, 1)
    st.progress(share, text=f"{progress.complete:,} of {progress.items:,} examples have {answers}")
    left, right = st.columns([2, 3])
    with left:
        st.caption("Progress per person")
        _people(progress)
    with right:
        st.caption("Agreement")
        _agreement(labeling.agreement(task_id))
    if progress.verdicts:
        metric_row([(name.replace("_", " ").capitalize(), f"{n:,}") for name, n in sorted(progress.verdicts.items())])


def _people(progress: Progress) -> None:
    rows = [
        {"Person": name, "Submitted": done.submitted, "Drafts": done.drafts, "Discarded": done.discarded}
        for name, done in progress.per_person.items()
    ]
    bar = st.column_config.ProgressColumn(format="%d", min_value=0, max_value=max(progress.items, 1))
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config={"Submitted": bar})


def _agreement(found: Sequence[Agreement]) -> None:
    if not found:
        st.caption("Shown once two people have answered the same example.")
        return
    st.dataframe(pd.DataFrame([_agreement_row(each) for each in found]), hide_index=True)


def _agreement_row(each: Agreement) -> dict[str, str | int]:
    known = each.kappa is not None and each.low is not None and each.high is not None
    return {
        "Question": each.question,
        "Equal": f"{each.percent:.0f}%",
        "Beyond chance": f"{each.kappa:.2f}" if known else "not defined",
        "95% interval": f"{each.low:.2f} to {each.high:.2f}" if known else "",
        "n": each.n,
        "Measure": each.measure,
    }


def _deciding(task: LabelTask, actor: Actor) -> None:
    labeling = current_studio().labeling
    with st.container(horizontal=True, gap="small"):
        decides = TEMPLATES[task.template].decides
        if decides and st.button("Apply answers", key=f"apply_{task.id}", icon=":material/done_all:"):
            with reported_errors():
                _collect_if_open(task)
                st.session_state[DONE] = (task.id, str(labeling.apply(actor, task.id)))
                st.rerun()
        if task.state == "open" and st.button("Close task", key=f"close_{task.id}", icon=":material/lock:"):
            with reported_errors():
                labeling.close(actor, task.id)
                st.rerun()
    done_for, said = st.session_state.get(DONE, ("", ""))
    if done_for == task.id:
        st.success(f"{said}. Freeze a version on Curate so that models learn from it.", title="Answers applied")


def _collect_if_open(task: LabelTask) -> None:
    if task.state == "open":
        current_studio().labeling.sync(task.id)
