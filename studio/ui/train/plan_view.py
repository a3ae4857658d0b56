"""The plan in plain words: one sentence, what it will take as ranges, whether it fits, and why every value is so."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from studio.access.actor import Role
from studio.train.estimate import Badge
from studio.train.machine import GIB
from studio.train.plan import Plan
from studio.ui.charts import bar_chart
from studio.ui.components import metric_row
from studio.ui.formats import money, plain, span
from studio.ui.state import current_actor, current_studio, reported_errors
from studio.ui.train.advanced import advanced, set_values
from studio.ui.train.choice import Choice, Start
from studio.ui.train.doctor import doctor
from studio.ui.train.exact import exact_recipe
from studio.ui.train.fields import in_words
from studio.ui.train.labels import label_worth
from studio.ui.train.planned import fits, planned
from studio.ui.train.sweep import open_sweep
from studio.ui.train.unfold import unfold

FITS = {"fits": ":green-badge[Fits]", "tight": ":orange-badge[Tight]", "too big": ":red-badge[Won't fit]"}


def show_plan(choice: Choice, start: Start) -> dict[str, Any]:
    """The plan with its reasons and what the run doctor found; returns the values a person set."""
    plan_here, reasons_here = st.container(), st.container()
    with reported_errors():
        advice = planned(choice, {})
        overrides = advanced(advice[0], choice)
        plan, findings = planned(choice, overrides) if overrides else advice
        with plan_here:
            st.markdown(f"**{plain(plan.sentence)}**")
            _estimates(plan, start)
            if plan.caution:
                st.info(plain(plan.caution), icon=":material/lightbulb:")
            doctor(choice, plan, findings, overrides)
            if choice.method == "sft":
                label_worth(current_actor(), choice)
        with reasons_here:
            _reasons(plan)
            exact_recipe(plan, choice, start, overrides)
        _sweep(choice, start, overrides, plan)
        return overrides
    return {}


def _estimates(plan: Plan, start: Start) -> None:
    estimate = plan.estimate
    low, high = estimate.memory_range
    soonest, latest = estimate.seconds_range
    sizes = {**estimate.parts, "room here": estimate.room}
    parts = "\n".join(f"- {name}: {size / GIB:.2f} GiB" for name, size in sizes.items())
    how = f"{estimate.tokens:,} tokens at {estimate.tokens_per_second:,.0f} a second; {SPEED[estimate.source]}."
    cells = [
        ("Time", f"{span(soonest)} to {span(latest)}", how),
        ("Memory", f"{low / GIB:.1f} to {high / GIB:.1f} GiB", parts),
        ("Steps", f"{plan.steps:,}", "Each step learns from one batch of rows."),
        ("Longest row", f"{plan.situation.lengths.longest:,} tokens", "Rows over the limit would be cut."),
    ]
    metric_row([*cells[:1], *_cost(plan, start), *cells[1:]])
    for badge in fits(plan):
        _badge(badge)


def _cost(plan: Plan, start: Start) -> list[tuple[str, str, str]]:
    """Hours times the price per hour of the place it runs, where one is set."""
    place = current_studio().places.find(start.runner)
    price = place.price_per_hour if place else current_studio().settings.price_per_hour
    if not price:
        return []
    low, high = (money(price * seconds / 3600) for seconds in plan.estimate.seconds_range)
    pace = " At this machine's pace; a faster place takes less time." if place else ""
    return [("Cost", f"{low} to {high}", f"{money(price)} an hour.{pace}")]


SPEED = {
    "rehearsal": "measured when you looked at one batch",
    "earlier run": "measured on your earlier run",
    "arithmetic": "an estimate until something was measured",
}


def _badge(badge: Badge) -> None:
    low, high = badge.memory_range
    needs = f"{low / GIB:.1f} to {high / GIB:.1f} of {badge.device.memory / GIB:.1f} GiB"
    spare = "" if badge.usable else " · not handed to runs (STUDIO_WORKER_GPUS)"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"{FITS[badge.fit]} {needs} on {plain(badge.device.label)}{plain(spare)}", width="content")
        if badge.fix and badge.fix.overrides:
            label, values = plain(badge.fix.label), badge.fix.overrides
            key = f"fit_{badge.device.kind}{badge.device.index}"
            st.button(label, key=key, type="tertiary", icon=":material/build:", on_click=set_values, args=(values,))
        elif badge.fix:
            st.caption(plain(badge.fix.label))


def _reasons(plan: Plan) -> None:
    with unfold("Why these values", icon="help", key="reasons") as opened:
        if not opened:
            return
        rows = [(each.label, in_words(each.value), each.reason, each.source) for each in plan.values]
        st.dataframe(
            pd.DataFrame(rows, columns=["What", "Value", "Why", "Where the rule comes from"]),
            hide_index=True,
            key="plan_values",
        )
        lengths = pd.DataFrame(plan.situation.lengths.histogram(), columns=["Tokens", "Rows"])
        lengths["Tokens"] = "≤ " + lengths["Tokens"].astype(str)
        st.caption("Rows by length in tokens")
        bar_chart(lengths, x="Tokens", y="Rows", key="length_histogram", height=160, alt="Rows by length in tokens")


def _sweep(choice: Choice, start: Start, overrides: dict[str, Any], plan: Plan) -> None:
    about = "Try several values of up to three settings; the total is told before anything starts."
    if choice.base_kind != "model" or not current_actor().can(Role.EDITOR):
        return
    if st.button("Sweep", key="sweep", icon=":material/grid_view:", help=about):
        open_sweep(choice, start, overrides, plan)
