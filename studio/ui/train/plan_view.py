"""The plan in plain words: one sentence, what it will take as ranges, whether it fits, and why every value is so."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from studio.train.machine import GIB
from studio.train.plan import Plan
from studio.ui.charts import bar_chart
from studio.ui.components import metric_row
from studio.ui.formats import plain, span
from studio.ui.state import reported_errors
from studio.ui.train.advanced import advanced, written
from studio.ui.train.choice import Choice
from studio.ui.train.doctor import findings_list
from studio.ui.train.planned import planned

FITS = {"fits": ":green-badge[Fits]", "tight": ":orange-badge[Tight]", "too big": ":red-badge[Too big]"}


def show_plan(choice: Choice) -> dict[str, Any]:
    """The plan with its reasons and what the run doctor found; returns the values a person set."""
    plan_here, reasons_here = st.container(), st.container()
    with reported_errors():
        advice, _findings = planned(choice, {})
        overrides = advanced(advice)
        plan, findings = planned(choice, overrides)
        with plan_here:
            st.markdown(f"**{plain(plan.sentence)}**")
            _estimates(plan)
            findings_list(findings)
        with reasons_here:
            _reasons(plan)
        return overrides
    return {}


def _estimates(plan: Plan) -> None:
    estimate = plan.estimate
    low, high = estimate.memory_range
    soonest, latest = estimate.seconds_range
    known = "measured on your earlier run" if estimate.measured else "an estimate until the first run"
    sizes = {**estimate.parts, "room here": estimate.room}
    parts = "\n".join(f"- {name}: {size / GIB:.2f} GiB" for name, size in sizes.items())
    metric_row(
        [
            ("Time", f"{span(soonest)} to {span(latest)}", f"{estimate.tokens:,} tokens; speed {known}."),
            ("Memory", f"{low / GIB:.1f} to {high / GIB:.1f} GiB", parts),
            ("Steps", f"{plan.steps:,}", "Each step learns from one batch of rows."),
            ("Longest row", f"{plan.situation.lengths.longest:,} tokens", "Rows over the limit would be cut."),
        ]
    )
    needs = f"{low / GIB:.1f} to {high / GIB:.1f} of {estimate.room / GIB:.1f} GiB"
    st.caption(f"{FITS[estimate.fit]} {needs} on {plain(plan.situation.machine.place)}")


def _reasons(plan: Plan) -> None:
    with st.expander("Why these values", icon=":material/help:", key="reasons"):
        rows = [(each.label, written(each.value), each.reason, each.source) for each in plan.values]
        st.dataframe(
            pd.DataFrame(rows, columns=["What", "Value", "Why", "Where the rule comes from"]),
            hide_index=True,
            key="plan_values",
        )
        lengths = pd.DataFrame(plan.situation.lengths.histogram(), columns=["Tokens", "Rows"])
        lengths["Tokens"] = "≤ " + lengths["Tokens"].astype(str)
        bar_chart(lengths, x="Tokens", y="Rows", key="length_histogram", height=160, alt="Rows by length in tokens")
