"""Start a session: what to decide on, who decides, and the agenda that comes of it, before anything is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import Dataset, LabelTask, Project
from studio.label.review.shapes import AgendaLine
from studio.ui.formats import plain
from studio.ui.state import current_actor, current_studio, reported_errors

SOURCES = {
    "disputes": "Everything people dispute",
    "task": "One labeling task",
    "feedback": "What users complained about",
    "conflicts": "Where models and people disagree",
    "topics": "New topics nobody has checked",
    "value": "All of it, the most valuable first",
}
MINUTES = (5, 10, 15, 30, 45, 60, 90)
TALLEST = 250


@st.dialog("Start a review session", width="large", icon=":material/groups:")
def start_dialog(project: Project, task_id: str = "") -> None:
    """Good defaults, so that two clicks start one; the agenda is shown as it will be."""
    left, right = st.columns([3, 2])
    with left:
        source, task = _source(project, task_id)
    with right:
        dataset = _dataset(project, task)
        minutes = int(st.select_slider("Minutes", MINUTES, 30, key="review_minutes"))
    if dataset is None:
        st.caption("Make a dataset on Curate first.")
        return
    people = st.multiselect(
        "Who decides with you", _others(), key="review_people", placeholder="Nobody: you decide alone, one key each"
    )
    with reported_errors():
        agenda = current_studio().reviews.preview(project.id, dataset.id, source, minutes)
        _agenda(agenda)
        title = f"{task.name if task else SOURCES[source['kind']]}, {date.today():%-d %B}"[:120]
        if st.button("Start", type="primary", icon=":material/play_arrow:", key="start_now", disabled=not agenda):
            _start(dataset, title, source, minutes, people)


def something_to_decide(project: Project) -> bool:
    """Whether any source has an agenda; new topics alone are no reason to start."""
    datasets, reviews = current_studio().datasets.all(project.id), current_studio().reviews
    kinds = ("disputes", "feedback", "conflicts")
    return any(reviews.preview(project.id, each.id, {"kind": kind}, 1) for each in datasets for kind in kinds)


def _source(project: Project, task_id: str) -> tuple[dict[str, Any], LabelTask | None]:
    tasks = current_studio().labeling.all(project.id)
    kinds = [kind for kind in SOURCES if kind != "task" or tasks]
    start = "task" if task_id and tasks else _first_kind(project)
    kind = st.radio("What to decide", kinds, kinds.index(start), format_func=SOURCES.__getitem__, key="review_source")
    if kind != "task":
        return {"kind": kind}, None
    first = next((place for place, each in enumerate(tasks) if each.id == task_id), 0)
    task = st.selectbox("Task", tasks, first, format_func=lambda each: each.name, key="review_task")
    return {"kind": kind, "task_id": task.id}, task


def _first_kind(project: Project) -> str:
    """What people dispute comes first; where they do not, everything worth deciding."""
    return "disputes" if current_studio().labeling.undecided(project.id) else "value"


def _dataset(project: Project, task: LabelTask | None) -> Dataset | None:
    datasets = current_studio().datasets.all(project.id)
    if task is not None:
        return next((each for each in datasets if each.id == task.dataset_id), None)
    if len(datasets) == 1:
        return datasets[0]
    chosen: Dataset | None = st.selectbox("Dataset", datasets, format_func=lambda each: each.name, key="review_dataset")
    return chosen


def _others() -> list[str]:
    me = current_actor().username
    return [name for name in current_studio().labeling.teammates() if name != me]


def _agenda(agenda: Sequence[AgendaLine]) -> None:
    if not agenda:
        st.caption(":material/check_circle: Nothing here is worth deciding now. Choose another source.")
        return
    count = "1 example" if len(agenda) == 1 else f"{len(agenda):,} examples"
    st.caption(f"Agenda: {count}, the most valuable first")
    rows = [{"Why": line.reason, "Answers": len(line.choices)} for line in agenda]
    config: Mapping[str, Any] = {
        "Why": st.column_config.TextColumn(width="large"),
        "Answers": st.column_config.NumberColumn(width="small"),
    }
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=config, height=min(38 + 35 * len(rows), TALLEST))


def _start(dataset: Dataset, title: str, source: dict[str, Any], minutes: int, people: Sequence[str]) -> None:
    actor = current_actor()
    everybody = [actor.username, *people]
    made = current_studio().reviews.start(actor, dataset.id, title, source, minutes=minutes, people=everybody)
    st.query_params["session"] = made.id
    st.rerun()


def hint(project: Project) -> str:
    """Why there may be nothing to decide."""
    if not current_studio().labeling.all(project.id):
        return "Ask teammates about some examples on Label; where they disagree, you decide here."
    return f"When people disagree in {plain(project.name)}, or users complain, the examples come here."
