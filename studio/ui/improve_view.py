"""The parts of the Improve page: what waits for the next turn, what people say of each model, savings, turns."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

from storage.tables import Dataset, Project, Turn
from storage.types import now
from studio.improve.production import ModelFeedback, Savings, Verdict, points
from studio.improve.turns import Waiting
from studio.ui.components import metric_row
from studio.ui.formats import ago, milliseconds, money, plain, short_number
from studio.ui.interval_charts import Bar, interval_bars
from studio.ui.state import current_studio

PERIODS: dict[str, timedelta | None] = {"7 days": timedelta(7), "30 days": timedelta(30), "All time": None}


def period() -> datetime | None:
    """The start of the period to look at."""
    chosen = st.segmented_control("Period", list(PERIODS), default="30 days", required=True, key="improve_period")
    length = PERIODS[chosen]
    return now() - length if length else None


def choose_dataset(project: Project) -> Dataset | None:
    """The dataset that the next turn adds to."""
    datasets = current_studio().datasets.all(project.id)
    if len(datasets) < 2:
        return datasets[0] if datasets else None
    names = {dataset.id: dataset.name for dataset in datasets}
    chosen = st.selectbox(
        "Next turn adds to", list(names), format_func=names.__getitem__, key="turn_dataset", width=300
    )
    return next(dataset for dataset in datasets if dataset.id == chosen)


def figures(waiting: Waiting) -> None:
    """What the next turn would take in."""
    since = f"Since {waiting.since:%d %b %Y %H:%M} UTC" if waiting.since else "No turn yet"
    metric_row(
        [
            ("Judged calls waiting", short_number(waiting.calls), since),
            ("Corrections", short_number(waiting.corrections), "Become verified answers in the next version"),
            ("Thumbs up", short_number(waiting.up), "Kept as they are"),
            ("Thumbs down", short_number(waiting.down), "Left out unless corrected"),
        ]
    )


def verdict_lines(verdicts: list[Verdict]) -> None:
    """Each deployed model against today's, in a sentence."""
    if not verdicts:
        return
    with st.container(border=True, gap="xsmall", key="improve_verdicts"):
        for each in sorted(verdicts, key=lambda found: not found.shown):
            text = plain(each.sentence)
            st.markdown(f"**{text}**" if each.shown else f":gray[{text}]")


def by_model(models: list[ModelFeedback], found: list[Savings]) -> None:
    """Feedback of each served model as a table and a chart, and what deployed models saved."""
    st.dataframe(pd.DataFrame([_line(model) for model in models]), hide_index=True, key="by_model")
    left, right = st.columns(2)
    with left, st.container(border=True, height="stretch"):
        _rates([model for model in models if model.rate is not None])
    with right, st.container(border=True, height="stretch", gap="xsmall", key="savings"):
        _savings(found)


def _rates(rated: list[ModelFeedback]) -> None:
    st.markdown("**Thumbs up among rated calls**")
    if not rated:
        st.caption("Nobody rated a call in this period.")
        return
    bars = [Bar(model.name, model.rate or 0.0, model.low, model.high, model.rated) for model in rated]
    interval_bars(bars, key="rates", axis="Thumbs up (%)", height=230)


def _savings(found: list[Savings]) -> None:
    st.markdown("**Savings so far**")
    if not found:
        st.caption("Shown once a deployed model answers calls that a provider's model answered before.")
    for each in found:
        st.metric(plain(each.alias), money(each.saved_usd))
        st.markdown(plain(each.sentence))
        before, after = money(each.baseline_per_1k), money(each.now_per_1k)
        st.caption(plain(f"Per 1,000 calls: {before} with {each.baseline_name}, {after} now."))


def stream(project: Project) -> None:
    """The newest feedback."""
    rows = current_studio().improve.stream(project.id)
    if not rows:
        st.caption("No feedback yet.")
        return
    lines = [
        {
            "When": ago(said.created_at),
            "Kind": said.kind,
            "Value": said.value,
            "Text": (said.text or "")[:300],
            "By": said.given_by,
            "Model": entry.served_model,
            "Prompt": entry.prompt_text[:200],
            "Answer": entry.reply_text[:200],
        }
        for said, entry in rows
    ]
    texts = {name: st.column_config.Column(width="medium") for name in ("Text", "Prompt", "Answer")}
    st.dataframe(pd.DataFrame(lines), hide_index=True, key="feedback_stream", column_config=texts)


def turns(found: list[Turn]) -> None:
    """The turns so far and what each took in."""
    if not found:
        st.caption("No turn yet. A turn takes in what people said and freezes a new version to train on.")
        return
    studio = current_studio()
    for turn in found[:20]:
        with st.container(border=True, gap=None, key=f"turn_{turn.number}"):
            version = studio.datasets.version(turn.dataset_version_id) if turn.dataset_version_id else None
            made = f" made version {version.number}" if version else ""
            st.markdown(f"**Turn {turn.number}**{made}")
            counts = ", ".join(f"{turn.taken.get(key, 0):,} {label}" for key, label in TAKEN.items())
            st.caption(f"{counts} · by {plain(turn.created_by)}, {ago(turn.created_at)}")


TAKEN = {
    "calls": "judged calls",
    "corrections": "corrected",
    "up": "thumbs up",
    "down": "thumbs down",
    "new": "new examples",
}


def _line(model: ModelFeedback) -> dict[str, object]:
    rate = "–" if model.rate is None else f"{points(model.rate)} %  ({points(model.low)} to {points(model.high)} %)"
    return {
        "Alias": model.alias,
        "Answered by": model.name + (f" (revision {model.revision})" if model.revision else ""),
        "Calls": model.calls,
        "Up": model.up,
        "Down": model.down,
        "Thumbs up rate": rate,
        "Corrections": model.corrections,
        "Errors": model.errors,
        "Mean latency": milliseconds(model.mean_latency_ms),
        "Cost per 1,000": money(model.cost_per_1k),
    }
