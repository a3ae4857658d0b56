"""The watching half of the Train page: the list of runs, and one run's curves, answers and log as it learns."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import TrainingRun
from studio.train.events import in_force, series
from studio.ui.charts import line_chart
from studio.ui.components import empty_state, job_panel, metric_row, status_badge
from studio.ui.formats import ago, percent, plain, span
from studio.ui.job_panel import UNFINISHED
from studio.ui.navigation import page_path
from studio.ui.state import current_studio

POINTS = 300
NEWEST = 20
HELD_OUT = "Answers equal to the data's, which may be wrong themselves; Evaluate measures against verified ones."
Events = list[dict[str, Any]]


def run_list(project_id: str) -> None:
    """The project's runs, newest first, each a link."""
    runs = current_studio().training.all(project_id)[:NEWEST]
    if not runs:
        return
    st.subheader("Runs", anchor=False)
    for run in runs:
        _row(run)


def run_view(run_id: str) -> None:
    """One run: its job, curves, sampled answers, recipe and log."""
    training = current_studio().training
    run = training.get(run_id)
    job = current_studio().jobs.get(str(run.job_id))
    st.page_link(page_path("train"), label="All runs", icon=":material/arrow_back:")
    st.subheader(plain(run.name), anchor=False)
    job_panel(job.id, key=f"run_{run.id}")
    if run.summary:
        _outcome(run)
    running = job.status in UNFINISHED
    st.fragment(_live, run_every=1.0 if running else None)(run, running)
    with st.expander("Recipe", icon=":material/receipt:"):
        st.caption("This file runs as it is with TRL: trl sft --config recipe.yaml, inside the run's folder.")
        st.code(training.recipe_text(run), language="yaml")
    with st.expander("Log", icon=":material/terminal:"):
        st.code(training.log(run) or "Nothing yet.", language=None, height=300)


def _live(run: TrainingRun, running: bool) -> None:
    events = _events(run)
    losses = _frame(events, {"Training loss": "loss", "Held-out loss": "eval_loss"})
    if losses.empty:
        if running:
            empty_state("hourglass_empty", "Getting ready", "Curves appear after the first steps.", key="no_curve")
        return
    left, right = st.columns(2)
    with left.container(border=True):
        st.caption("Loss: how surprised the model is by the right answer; lower is better")
        line_chart(losses, x="Step", y=list(losses.columns[1:]), key="loss_curve", alt="Loss by step", x_name="Step")
    with right.container(border=True):
        st.caption("Wholly right: share of held-out answers the model would give exactly")
        _right_curve(events)
    _samples(events)


def _right_curve(events: Events) -> None:
    right = _frame(events, {"Wholly right": "eval_greedy_exact", "Right tokens": "eval_mean_token_accuracy"})
    if right.empty:
        st.caption("After the first evaluation.")
        return
    shares = list(right.columns[1:])
    line_chart(right, x="Step", y=shares, key="right_curve", alt="Share right by step", y_min=0, y_max=1)


def _samples(events: Events) -> None:
    """The latest answers to the fixed prompts, beside what was expected."""
    samples = [event for event in in_force(events) if event["kind"] == "sample"]
    if not samples:
        return
    step = samples[-1]["step"]
    latest = [event for event in samples if event["step"] == step]
    st.caption(f"Its answers at step {step} to {len(latest)} held-out prompts")
    rows = [(each["answer"] == each["expected"], each["answer"], each["expected"], each["prompt"]) for each in latest]
    table = pd.DataFrame(rows, columns=["Same", "Answer", "Expected", "Prompt"])
    widths = {"Same": st.column_config.CheckboxColumn(width="small")}
    st.dataframe(table, hide_index=True, key="samples", column_config=widths)


def _outcome(run: TrainingRun) -> None:
    summary = run.summary
    exact = summary.get("greedy_exact")
    loss = summary.get("best_eval_loss")
    metric_row(
        [
            ("Held-out, wholly right", "-" if exact is None else percent(exact), HELD_OUT),
            ("Best held-out loss", "-" if loss is None else f"{loss:.3f}"),
            (
                "Tokens per second",
                f"{summary['tokens_per_second']:,}",
                f"On {summary['device']}, with evaluations.",
            ),
            ("Time", span(summary["wall_s"]), f"{summary['steps']} steps, {summary['tokens']:,} tokens."),
            ("Memory peak", f"{summary['peak_memory_mb']:,} MB"),
        ]
    )


def _row(run: TrainingRun) -> None:
    job = current_studio().jobs.get(str(run.job_id))
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small", key=f"row_{run.id}"):
        st.page_link(page_path("train"), label=plain(run.name), query_params={"run": run.id}, width="content")
        status_badge(job.status)
        exact = run.summary.get("greedy_exact")
        st.caption(f"{percent(exact)} of held-out answers wholly right" if exact is not None else "")
        st.caption(f"by {plain(run.created_by)}, {ago(run.created_at)}", width="stretch")


def _events(run: TrainingRun) -> Events:
    """This session's copy of the run's events, grown by what is new."""
    known: Events
    known, offset = st.session_state.get(f"events_{run.id}", ([], 0))
    new, offset = current_studio().training.events(run, offset)
    st.session_state[f"events_{run.id}"] = (known + new, offset)
    return known + new


def _frame(events: Events, columns: dict[str, str]) -> pd.DataFrame:
    """One row per step with a column per logged number, thinned to what a chart can show."""
    lines = [pd.Series(dict(points), name=label) for label, key in columns.items() if (points := series(events, key))]
    if not lines:
        return pd.DataFrame({"Step": []})
    frame = pd.concat([_thinned(line) for line in lines], axis=1).sort_index()
    return frame.rename_axis("Step").reset_index()


def _thinned(line: pd.Series[float]) -> pd.Series[float]:
    return line.iloc[:: max(1, len(line) // POINTS)]
