"""A run as it learns: its curves, its answers and what happened, refreshed once a second while it runs."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from storage.tables import TrainingRun
from studio.ui.charts import line_chart
from studio.ui.components import empty_state
from studio.ui.state import current_studio
from studio.ui.train.answers import sampled_answers
from studio.ui.train.curves import LOSS, TARGETS, UNDER_THE_HOOD, Chart, Events, frame, task_frame
from studio.ui.train.happened import happened
from studio.ui.train.unfold import unfold

RIGHT = Chart("right", "Wholly right", "Share of answers the model would give exactly.", {}, is_share=True)
TASK = Chart("task", "Task", "The best checkpoint is chosen on held-out rows; golden ones are only watched.", {}, True)


def live(run: TrainingRun, running: bool) -> None:
    """The part of a run's page that moves."""
    st.fragment(_live, run_every=1.0 if running else None)(run, running)


def run_events(run: TrainingRun) -> Events:
    """This session's copy of the run's events, grown by what is new."""
    known: Events
    known, offset = st.session_state.get(f"events_{run.id}", ([], 0))
    new, offset = current_studio().training.events(run, offset)
    st.session_state[f"events_{run.id}"] = (known + new, offset)
    return known + new


def _live(run: TrainingRun, running: bool) -> None:
    events = run_events(run)
    charts = _charts(events)
    if not charts:
        if running:
            empty_state("hourglass_empty", "Getting ready", "Curves appear after the first steps.", key="no_curve")
        return
    with st.grid(2, min_column_width=380, gap="small"):
        for chart, table in charts:
            _draw(chart, table, 220)
    _hood(events)
    sampled_answers(events, running)
    with unfold("What happened", icon="history", key="happened") as opened:
        if opened:
            happened(events)


def _charts(events: Events) -> list[tuple[Chart, pd.DataFrame]]:
    is_exact = any("eval_greedy_exact" in event for event in events)
    found = [(LOSS, frame(events, LOSS.lines)), (RIGHT if is_exact else TASK, task_frame(events))]
    found += [(chart, frame(events, chart.lines)) for chart in TARGETS]
    return [(chart, table) for chart, table in found if not table.empty]


def _draw(chart: Chart, table: pd.DataFrame, height: int) -> None:
    low, high = (0.0, 1.0) if chart.is_share else (None, None)
    with st.container(border=True, gap="xsmall"):
        st.markdown(f"**{chart.title}**", help=chart.about or None)
        names = list(table.columns[1:])
        alt = f"{chart.title} by step: {', '.join(names)}"
        line_chart(table, x="Step", y=names, key=f"{chart.key}_curve", alt=alt, height=height, y_min=low, y_max=high)


def _hood(events: Events) -> None:
    found = [(chart, frame(events, chart.lines)) for chart in UNDER_THE_HOOD]
    shown = [(chart, table) for chart, table in found if not table.empty]
    if not shown:
        return
    with unfold("Under the hood", icon="speed", key="hood") as opened:
        if not opened:
            return
        with st.grid(4, min_column_width=240, gap="small"):
            for chart, table in shown:
                _draw(chart, table, 150)
