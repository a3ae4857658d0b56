"""The project's runs: filtered by state, method and tag, newest first, each a link; several can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from storage.tables import TrainingRun
from studio.train.methods import METHODS
from studio.ui.components import empty_state, status_badge
from studio.ui.formats import ago, percent, plain
from studio.ui.navigation import page_path
from studio.ui.state import current_studio
from studio.ui.train.outcome import moved

A_PAGE, MOST = 20, 1000
SHORT = {"rewards/accuracies": "Pairs right", "rewards/margins": "Margin", "accuracy": "Agrees", "reward": "Reward"}
PICKED, BOX = "runs_picked", "pick_"


@dataclass(frozen=True)
class Row:
    """A run as the list shows it."""

    run: TrainingRun
    status: str


def history(project_id: str) -> None:
    """Filters, the list, and pages of it."""
    rows = rows_of(project_id)
    if not rows:
        empty_state("model_training", "No run yet", "Set one up; it appears here as soon as it waits.", key="no_runs")
        return
    st.subheader("Runs", anchor=False)
    shown = _filtered(rows)
    _compare_button()
    pages = -(-len(shown) // A_PAGE)
    page = st.pagination(pages, key="runs_page") if pages > 1 else 1
    for row in shown[(page - 1) * A_PAGE : page * A_PAGE]:
        _row(row)
    if not shown:
        st.caption("No run fits these filters.")


def picked() -> list[str]:
    """The runs whose boxes are ticked, in the order they were."""
    return [run_id for run_id in st.session_state.get(PICKED, []) if st.session_state.get(f"{BOX}{run_id}")]


def _compare_button() -> None:
    chosen = picked()
    if len(chosen) > 1 and st.button(f"Compare {len(chosen)} runs", key="compare", icon=":material/compare_arrows:"):
        st.query_params["compare"] = ",".join(chosen)
        st.rerun()


def _pick(run_id: str) -> None:
    """Remember the order in which runs were ticked."""
    others = [each for each in st.session_state.get(PICKED, []) if each != run_id]
    st.session_state[PICKED] = [*others, run_id]


def rows_of(project_id: str) -> list[Row]:
    """The project's runs with their jobs' states, newest first."""
    studio = current_studio()
    states = {job.id: job.status for job in studio.jobs.recent(project_id, limit=MOST, kinds=("train",))}
    return [Row(run, states.get(str(run.job_id), "new")) for run in studio.training.all(project_id)[:MOST]]


def _filtered(rows: Sequence[Row]) -> list[Row]:
    states = sorted({row.status for row in rows})
    methods = [name for name in METHODS if any(row.run.method == name for row in rows)]
    tags = sorted({tag for row in rows for tag in row.run.tags})
    with st.container(horizontal=True, gap="small", key="run_filters"):
        status = _picker("State", states, "run_state")
        method = _picker("Method", methods, "run_method")
        tag = _picker("Tag", tags, "run_tag") if tags else None
    return [
        row
        for row in rows
        if status in (None, row.status) and method in (None, row.run.method) and (tag is None or tag in row.run.tags)
    ]


def _picker(label: str, options: list[str], key: str) -> str | None:
    return st.selectbox(
        label,
        options,
        index=None,
        placeholder=f"Any {label.lower()}",
        key=key,
        label_visibility="collapsed",
        width=180,
        format_func=_method_label,
    )


def _method_label(name: str) -> str:
    return METHODS[name].label if name in METHODS else name


def short_label(name: str) -> str:
    """The method as people who know it call it: DPO for “Prefer the better answer (DPO)”."""
    label = _method_label(name)
    return label.rpartition("(")[2].rstrip(")") if label.endswith(")") else label


def _row(row: Row) -> None:
    run = row.run
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small", key=f"row_{run.id}"):
        box, about = f"{BOX}{run.id}", f"Compare {plain(run.name)}"
        st.checkbox(about, key=box, label_visibility="collapsed", width=20, on_change=_pick, args=(run.id,))
        with st.container(width=260):
            st.page_link(page_path("train"), label=plain(run.name), query_params={"run": run.id})
        status_badge(row.status)
        st.caption(plain(short_label(run.method)), width=130)
        st.caption(plain(result_of(run)), width="stretch")
        for tag in run.tags[:3]:
            st.badge(plain(tag), color="gray")
        st.caption(f"{plain(run.created_by)}, {ago(run.created_at)}", width="content")


def result_of(run: TrainingRun) -> str:
    """A run's outcome in half a line."""
    exact, target = run.summary.get("greedy_exact"), run.summary.get("target") or {}
    if exact is not None:
        return f"{percent(exact)} wholly right"
    if target.get("after") is not None and target.get("before") is not None:
        return f"{SHORT.get(str(target['name']), str(target['name']))} {moved(target)}"
    return str(run.failure.get("cause") or "")
