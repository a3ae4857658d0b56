"""The parts of the Curate page: choosing a dataset, its figures, its examples, what is left out."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import Dataset, Project
from studio.access.actor import Role
from studio.curate.datasets import DatasetSummary
from studio.ui.charts import bar_chart
from studio.ui.components import metric_row
from studio.ui.curate_example import example_drawer
from studio.ui.formats import short_number
from studio.ui.state import current_actor, current_studio, keep_filters, reported_errors, restore_filters

PAGE = 50
FILTERS = ("example_text", "example_split", "example_state", "example_verified")
STATES: dict[str, bool | None] = {"In": False, "Left out": True, "All": None}
CHECKED: dict[str, bool | None] = {"Any": None, "Verified": True, "Unverified": False}
REASONS = {
    "duplicate": "The same prompt is in already",
    "error": "The call failed",
    "empty": "The answer is empty",
    "invalid_json": "The answer is broken JSON while most are JSON",
    "thumbs_down": "Rated down and not corrected",
    "leak": "Nearly repeats a golden prompt",
    "by_hand": "Left out by a person",
}


@st.dialog("New dataset")
def dataset_dialog(project: Project) -> None:
    """Name a dataset and its golden share."""
    name = st.text_input("Name", max_chars=120, key="new_dataset_name")
    description = st.text_input("What is it for?", key="new_dataset_description")
    golden = st.slider("Golden share (%)", 0, 50, 10, key="new_dataset_golden")
    st.caption(
        "Golden examples are kept for evaluation and never trained on; the prompt's hash decides which they are."
    )
    if st.button("Create dataset", type="primary", key="create_dataset"):
        with reported_errors():
            made = current_studio().datasets.create(current_actor(), project.id, name, description, golden)
            st.query_params["dataset"] = made.id
            st.rerun()


def choose_dataset(project: Project, datasets: list[Dataset]) -> Dataset:
    """The dataset picker with its New button; the choice is in the address."""
    names = {dataset.id: dataset.name for dataset in datasets}
    wanted = st.query_params.get("dataset")
    index = list(names).index(wanted) if wanted in names else 0
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.selectbox("Dataset", list(names), index=index, format_func=names.__getitem__, width=360)
        if current_actor().can(Role.EDITOR) and st.button("New dataset", icon=":material/add:", key="new_dataset"):
            dataset_dialog(project)
    st.query_params["dataset"] = chosen
    return next(dataset for dataset in datasets if dataset.id == chosen)


def figures(summary: DatasetSummary) -> None:
    """What a version frozen now would hold."""
    golden_help = "Kept for evaluation. Only the verified ones measure truth."
    metric_row(
        [
            ("Training examples", short_number(summary.train), "In, and not golden"),
            ("Golden examples", short_number(summary.golden), golden_help),
            ("Verified golden", short_number(summary.verified_golden), "Confirmed or corrected by a person"),
            ("Corrected", short_number(summary.corrections), "Answers that people changed"),
            ("Left out", short_number(summary.left_out), "See the reasons under Left out"),
        ]
    )


def examples_tab(dataset: Dataset) -> None:
    """Filtered examples, a page at a time; a row opens the drawer."""
    restore_filters("curate", FILTERS)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        text = st.text_input("Search", type="search", live=True, key="example_text", placeholder="Prompt or answer")
        split = st.selectbox("Split", ["All", "train", "golden"], key="example_split", width=130)
        state = st.selectbox("State", list(STATES), key="example_state", width=130)
        checked = st.selectbox("Checked", list(CHECKED), key="example_verified", width=140)
    keep_filters("curate", FILTERS)
    wanted = {"split": None if split == "All" else split, "excluded": STATES[state], "verified": CHECKED[checked]}
    after = _page_start((dataset.id, text, split, state, checked))
    rows = current_studio().datasets.examples(dataset.id, text=text, after=after, limit=PAGE + 1, **wanted)  # type: ignore[arg-type]
    if not rows:
        st.caption("No example matches these filters.")
        return
    shown = rows[:PAGE]
    event: Any = st.dataframe(
        pd.DataFrame([_line(row) for row in shown]),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"examples_{dataset.id}_{after}",
        column_config={name: st.column_config.Column(width="medium") for name in ("Prompt", "Answer")},
    )
    _pager(after, shown[-1].id if len(rows) > PAGE else None)
    chosen = event.selection.rows
    example_drawer(shown[chosen[0]].id if chosen else None)


def left_out_tab(dataset: Dataset, summary: DatasetSummary) -> None:
    """Why examples are left out, and how many."""
    if not summary.excluded:
        st.caption("Nothing is left out.")
        return
    frame = pd.DataFrame({"Reason": list(summary.excluded), "Examples": list(summary.excluded.values())})
    bar_chart(
        frame, x="Reason", y="Examples", horizontal=True, key=f"left_out_{dataset.id}", height=60 + 34 * len(frame)
    )
    frame["Meaning"] = [REASONS.get(reason, "Given by a person") for reason in frame["Reason"]]
    st.dataframe(frame, hide_index=True, key=f"left_out_table_{dataset.id}")
    st.caption("Left-out examples stay here. Open one under Examples, State: Left out, to take it back in.")


def _line(row: Any) -> dict[str, Any]:
    return {
        "Prompt": str(row.messages[-1].get("content") or "")[:300] if row.messages else "",
        "Answer": row.output[:300],
        "Split": row.split,
        "From": row.output_source,
        "Verified": row.verified,
        "Rating": row.rating or "",
        "Left out": row.excluded or "",
    }


def _page_start(filters: tuple[Any, ...]) -> str | None:
    """Where the page begins; back at the start whenever a filter changes."""
    state = st.session_state.setdefault("examples_page", {"filters": filters, "after": None})
    if state["filters"] != filters:
        state.update(filters=filters, after=None)
    found: str | None = state["after"]
    return found


def _pager(after: str | None, following: str | None) -> None:
    with st.container(horizontal=True, gap="small"):
        if after and st.button("First page", icon=":material/first_page:", key="examples_first"):
            st.session_state["examples_page"]["after"] = None
            st.rerun()
        if following and st.button("Next page", icon=":material/chevron_right:", key="examples_next"):
            st.session_state["examples_page"]["after"] = following
            st.rerun()
