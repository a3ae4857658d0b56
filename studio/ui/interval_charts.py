"""Charts of estimates: bars with their 95 % interval as a whisker, and cost against quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

WHISKER = "#64748B"
PALETTE = ("#6366F1", "#14B8A6", "#F59E0B", "#EC4899", "#0EA5E9", "#84CC16")


@dataclass(frozen=True)
class Bar:
    """One estimate: its name, value, interval and n."""

    name: str
    mean: float
    low: float
    high: float
    n: int


def interval_bars(bars: Sequence[Bar], *, key: str, axis: str, height: int = 260, ceiling: Bar | None = None) -> None:
    """Bars in percent with whiskers; the names say n. A ceiling is a line across with its interval as a band."""
    names = [f"{bar.name}\nn={bar.n:,}" for bar in bars]
    whiskers = [
        [{"coord": [place, 100 * bar.low]}, {"coord": [place, 100 * bar.high]}] for place, bar in enumerate(bars)
    ]
    series = {
        "type": "bar",
        "barMaxWidth": 56,
        "data": [
            {"value": round(100 * bar.mean, 1), "itemStyle": {"color": color(place)}} for place, bar in enumerate(bars)
        ],
        "label": {"show": True, "position": "insideBottom", "formatter": "{c} %", "color": "#FFFFFF"},
        "markLine": {
            "symbol": "rect",
            "symbolSize": [14, 2],
            "symbolRotate": 0,
            "silent": True,
            "label": {"show": False},
            "lineStyle": {"type": "solid", "width": 2, "color": WHISKER},
            "data": whiskers,
        },
    }
    every = [series, *([_line_across(ceiling)] if ceiling else [])]
    option = {**_base(), "xAxis": _names_axis(names), "yAxis": _percent_axis(axis), "series": every}
    alone = [*bars, *([ceiling] if ceiling else [])]
    told = "; ".join(f"{bar.name} {bar.mean:.0%} ({bar.low:.0%} to {bar.high:.0%}, n={bar.n})" for bar in alone)
    st.echarts_chart(option, key=key, height=height, alt=f"{axis}: {told}")


def grouped_bars(groups: dict[str, dict[str, float]], *, key: str, axis: str, height: int = 260) -> None:
    """One bar per group and name, in percent: {name: {group: share}}."""
    labels = list(dict.fromkeys(group for values in groups.values() for group in values))
    series = [
        {
            "type": "bar",
            "name": name,
            "barMaxWidth": 28,
            "itemStyle": {"color": color(place)},
            "data": [round(100 * values[label], 1) if label in values else None for label in labels],
        }
        for place, (name, values) in enumerate(groups.items())
    ]
    legend = {"legend": {"top": 0, "right": 0, "icon": "roundRect", "itemWidth": 10, "itemHeight": 10}}
    axes = {"xAxis": _names_axis(labels), "yAxis": _percent_axis(axis)}
    st.echarts_chart({**_base(), **legend, **axes, "series": series}, key=key, height=height, alt=axis)


def trade_off(points: Sequence[tuple[str, float, float, float]], *, key: str, height: int = 260) -> None:
    """(name, USD per thousand calls, share right, latency in ms): quality over cost, the dot as big as the wait."""
    longest = max((wait for *_, wait in points), default=1.0) or 1.0
    series = [
        {
            "type": "scatter",
            "name": name,
            "symbolSize": 14 + 26 * (wait / longest) ** 0.5,
            "itemStyle": {"color": color(place), "opacity": 0.85},
            "label": {"show": True, "position": "right", "formatter": "{a}"},
            "data": [[round(cost, 4), round(100 * right, 1)]],
        }
        for place, (name, cost, right, wait) in enumerate(points)
    ]
    room = 1.35 * max((cost for _, cost, *_ in points), default=0.0) or 1.0  # for the name beside the last dot
    x_axis: dict[str, Any] = {
        "type": "value",
        "name": "USD per 1,000 calls",
        "nameLocation": "middle",
        "nameGap": 26,
        "min": 0,
    }
    x_axis["max"] = float(f"{room:.2g}")
    option = {**_base("item", bottom=26), "xAxis": x_axis, "yAxis": _percent_axis("Exact match (%)"), "series": series}
    st.echarts_chart(option, key=key, height=height, alt="Exact match over cost, one dot per model")


def _line_across(bar: Bar) -> dict[str, Any]:
    """A dashed line at a value, a pale band for its interval; no bar of its own."""
    label = {"formatter": f"people {100 * bar.mean:.0f} %", "position": "insideStartTop", "color": WHISKER}
    line = {"yAxis": round(100 * bar.mean, 1), "label": label}
    style = {"type": "dashed", "width": 2, "color": WHISKER}
    band = [{"yAxis": round(100 * bar.low, 1)}, {"yAxis": round(100 * bar.high, 1)}]
    return {
        "type": "line",
        "name": bar.name,
        "data": [],
        "silent": True,
        "markLine": {"symbol": "none", "silent": True, "lineStyle": style, "data": [line]},
        "markArea": {"silent": True, "itemStyle": {"color": WHISKER, "opacity": 0.12}, "data": [band]},
    }


def color(place: int) -> str:
    """The colour of the n-th model, the same in every chart of a page."""
    return PALETTE[place % len(PALETTE)]


def _base(trigger: str = "axis", bottom: int = 6) -> dict[str, Any]:
    grid = {"left": 8, "right": 24, "top": 34, "bottom": bottom, "containLabel": True}
    return {"animation": False, "grid": grid, "tooltip": {"trigger": trigger}}


def _names_axis(names: list[str]) -> dict[str, Any]:
    return {"type": "category", "data": names, "axisLabel": {"lineHeight": 15, "interval": 0}}


def _percent_axis(name: str) -> dict[str, Any]:
    return {"type": "value", "name": name, "min": 0, "max": 100, "nameTextStyle": {"align": "left"}}
