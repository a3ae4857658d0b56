"""Is it well: the guardrail's verdict, the figures of every route, and its last minutes as charts; refreshed alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pandas as pd
import streamlit as st

from storage.types import now
from studio.deploy.overview import Overview
from studio.deploy.traffic import Point, RouteStats
from studio.ui.charts import bar_chart, line_chart
from studio.ui.deploy.naming import short_names
from studio.ui.formats import milliseconds, percent, plain, short_number
from studio.ui.state import current_studio

SPANS = {"15 min": timedelta(minutes=15), "1 h": timedelta(hours=1), "24 h": timedelta(days=1)}
REFRESH_S = {"15 min": 5.0, "1 h": 5.0, "24 h": 30.0}
BUCKETS = {"15 min": 60, "1 h": 60, "24 h": 900}
"""Seconds that one point of a chart stands for."""
SPAN = "traffic_span"


def is_it_well(found: Overview) -> None:
    """The card beside the split; it refreshes itself."""
    span = st.session_state.get(SPAN) or "15 min"
    with st.container(border=True, gap="small", height="stretch", key="is_it_well"):
        st.fragment(_well, run_every=REFRESH_S[span])(found.deployment.id, short_names(found))


def live_charts(found: Overview) -> None:
    """Calls, errors and latency per minute and route."""
    span = st.session_state.get(SPAN) or "15 min"
    st.fragment(_charts, run_every=REFRESH_S[span])(found.deployment.id, short_names(found), span)


def _well(deployment_id: str, names: Mapping[str, str]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown("**Is it well**", width="content")
        st.segmented_control(
            "Span", list(SPANS), default="15 min", key=SPAN, required=True, label_visibility="collapsed", wrap=False
        )
    span = str(st.session_state[SPAN])
    _verdicts(deployment_id, names)
    stats = current_studio().traffic.stats(deployment_id, now() - SPANS[span])
    if not stats:
        st.caption(f"No call in the last {span}. Figures appear here as calls come through the gateway.")
        return
    table = figures(stats, names)
    st.dataframe(table, hide_index=True, width="stretch", key="traffic_figures")


def _verdicts(deployment_id: str, names: Mapping[str, str]) -> None:
    for revision_id, verdict in current_studio().deployments.verdicts(deployment_id).items():
        icon, color = ("warning", "red") if verdict.tripped else ("shield", "green")
        told = f"{names.get(revision_id, 'a revision').capitalize()}: {verdict.sentence}"
        st.markdown(f":{color}[:material/{icon}:] {plain(told)}")


def figures(stats: Mapping[str, RouteStats], names: Mapping[str, str]) -> pd.DataFrame:
    """A row per route, the busiest first."""
    ordered = sorted(stats.items(), key=lambda item: -item[1].calls)
    return pd.DataFrame([_row(names.get(route, "an earlier route"), found) for route, found in ordered])


def _row(name: str, stats: RouteStats) -> dict[str, str]:
    return {
        "Route": name,
        "Calls": short_number(stats.calls),
        "Errors": f"{percent(stats.error_rate)} ({stats.errors:,})",
        "p50": _ms(stats.p50_ms),
        "p95": _ms(stats.p95_ms),
        "1st token": _ms(stats.first_token_p50_ms),
        "Tokens": f"{short_number(stats.prompt_tokens)} / {short_number(stats.completion_tokens)}",
    }


def _ms(value: float | None) -> str:
    return "–" if value is None else milliseconds(value)


def _charts(deployment_id: str, names: Mapping[str, str], span: str) -> None:
    points = current_studio().traffic.series(deployment_id, now() - SPANS[span])
    if not points:
        return
    width = BUCKETS[span]
    calls, errors, slow = (by_minute(points, names, what, width) for what in ("calls", "errors", "p95_ms"))
    with st.grid(3, min_column_width=300, gap="small"):
        _card("Calls per minute", calls, "calls_chart", bars=True)
        _card("Errors per minute", errors, "errors_chart", bars=True)
        _card("p95 of whole answers, ms", slow, "p95_chart", bars=False)


def _card(title: str, table: pd.DataFrame, key: str, *, bars: bool) -> None:
    names = list(table.columns[1:])
    with st.container(border=True, gap="xsmall"):
        st.markdown(f"**{title}**")
        if bars:
            bar_chart(table, x="At", y=names, key=key, height=180, stacked=True, alt=f"{title}: {', '.join(names)}")
        else:
            line_chart(table, x="At", y=names, key=key, height=180, alt=f"{title}: {', '.join(names)}", y_min=0)


def by_minute(points: list[Point], names: Mapping[str, str], what: str, width: int) -> pd.DataFrame:
    """One row per span of `width` seconds with a column per route; counts are per minute, latencies the worst."""
    rows = [
        (point.minute // width * width, names.get(point.route, "an earlier route"), getattr(point, what))
        for point in points
    ]
    table = pd.DataFrame(rows, columns=["At", "Route", what])
    shape = table.pivot_table(index="At", columns="Route", values=what, aggfunc="max" if what == "p95_ms" else "sum")
    shape = shape if what == "p95_ms" else shape.fillna(0) * 60 / width
    shape.index = pd.to_datetime(shape.index, unit="s", utc=True)
    return shape.rename_axis(columns=None).reset_index()
