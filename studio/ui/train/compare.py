"""Runs side by side: one chart, what sets them apart, what came of each."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from studio.train.experiments import AXES, Comparison
from studio.ui.charts import line_chart
from studio.ui.formats import percent, plain, span
from studio.ui.navigation import page_path
from studio.ui.state import current_studio
from studio.ui.train.fields import in_words
from studio.ui.train.outcome import moved, target_label

METRIC_WORDS = {
    "loss": "Training loss",
    "eval_loss": "Held-out loss",
    "eval_greedy_exact": "Held-out, wholly right",
    "eval_task": "Held-out, task metric",
    "rewards/margins": "Margin of wanted over unwanted",
    "rewards/accuracies": "Prefers the better answer",
    "learning_rate": "Learning rate",
    "grad_norm": "Gradient norm",
}
AXIS_WORDS = {"step": "Step", "tokens": "Tokens", "seconds": "Seconds"}


def compare_view(run_ids: list[str]) -> None:
    """The comparison of these runs."""
    st.page_link(page_path("train"), label="All runs", icon=":material/arrow_back:", query_params={"view": "Runs"})
    found = current_studio().experiments.compare(run_ids)
    st.subheader(f"{len(found.runs)} runs compared", anchor=False)
    st.markdown(f"**{plain(found.sentence)}**")
    with st.container(border=True, key="compare_chart"):
        _chart(found)
    st.markdown("**What sets them apart**")
    if found.differences:
        st.dataframe(differing(found), hide_index=True, key="differing")
    else:
        st.caption("Nothing: same data, base, method and values.")
    st.markdown("**What came of them**")
    st.dataframe(outcomes(found), hide_index=True, key="outcomes")
    with st.container(horizontal=True, gap="small"):
        for run in found.runs:
            st.page_link(page_path("train"), label=plain(run.name), query_params={"run": run.id})


def _chart(found: Comparison) -> None:
    if not found.metrics:
        st.caption("Curves appear after the first steps.")
        return
    with st.container(horizontal=True, gap="small"):
        metric = st.selectbox("Curve", found.metrics, format_func=metric_label, key="compare_metric", width=260)
        axis = st.segmented_control(
            "Over", list(AXES), default="step", required=True, format_func=AXIS_WORDS.__getitem__, key="compare_axis"
        )
    table = curves(found, metric, axis)
    names = list(table.columns[1:])
    alt = f"{metric_label(metric)} of {len(names)} runs"
    line_chart(table, x=AXIS_WORDS[axis], y=names, key="compare_curves", height=300, alt=alt, x_name=AXIS_WORDS[axis])


def curves(found: Comparison, metric: str, axis: Any) -> pd.DataFrame:
    """One column per run over the chosen axis."""
    names = unique_names(found)
    lines = [
        pd.Series(dict(points), name=names[run_id], dtype=float)
        for run_id, points in found.curves(metric, axis).items()
    ]
    if not lines:
        return pd.DataFrame({AXIS_WORDS[axis]: []})
    return pd.concat(lines, axis=1).sort_index().rename_axis(AXIS_WORDS[axis]).reset_index()


def differing(found: Comparison) -> pd.DataFrame:
    """One row per value that is not the same everywhere, one column per run."""
    names, said = unique_names(found), _said(found)
    rows = [
        {"What": each.label} | {names[key]: said.get(str(value), in_words(value)) for key, value in each.values.items()}
        for each in found.differences
    ]
    return pd.DataFrame(rows)


def outcomes(found: Comparison) -> pd.DataFrame:
    """One row per run with its figures."""
    names = unique_names(found)
    rows = [{"Run": names[each.run_id], "State": each.status} | _figures(each) for each in found.outcomes]
    return pd.DataFrame(rows).fillna("–")


def unique_names(found: Comparison) -> dict[str, str]:
    """Run names by id; they are unique within a project."""
    return {run.id: run.name for run in found.runs}


def metric_label(name: str) -> str:
    """A logged number in words."""
    return METRIC_WORDS.get(name, name.replace("_", " ").replace("/", ", "))


def _figures(outcome: Any) -> dict[str, str]:
    numbers, target = outcome.numbers, outcome.target
    told = {f"Golden, {name.replace('_', ' ')}": _interval(value) for name, value in outcome.golden.items()}
    if numbers.get("greedy_exact") is not None:
        told["Held-out, wholly right"] = percent(numbers["greedy_exact"])
    if target.get("after") is not None and "loss" not in str(target.get("name")):
        told[target_label(str(target["name"]))] = moved(target)
    if numbers.get("best_eval_loss") is not None:
        told["Held-out loss"] = f"{numbers['best_eval_loss']:.3f}"
    if numbers.get("wall_s") is not None:
        told["Time"] = span(numbers["wall_s"])
    if numbers.get("tokens_per_second"):
        told["Tokens/s"] = f"{numbers['tokens_per_second']:,.0f}"
    return told


def _interval(value: dict[str, float]) -> str:
    return f"{percent(value['mean'])} ({percent(value['low'])} to {percent(value['high'])})"


def _said(found: Comparison) -> dict[str, str]:
    """Names for the ids among the differing values."""
    studio = current_studio()
    project_id = found.runs[0].project_id
    named = {
        version.id: f"{dataset.name} v{version.number}" for version, dataset in studio.training.versions(project_id)
    }
    return named | {model.id: model.name for model in studio.models.all(project_id)}
