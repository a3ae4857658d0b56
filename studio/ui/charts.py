"""Charts in the theme's colours. ECharts, because it costs a quarter of Vega's CPU where it refreshes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

STATUS_COLORS = {"ok": "#A5B4FC", "error": "#EF4444", "aborted": "#F59E0B", "cut": "#F59E0B"}
"""One colour per status of a call, readable on light and dark."""
_GRID = {"left": 8, "right": 12, "top": 28, "bottom": 4, "containLabel": True}


def line_chart(
    frame: pd.DataFrame,
    *,
    x: str,
    y: Sequence[str] | str,
    key: str,
    height: int = 240,
    alt: str | None = None,
    x_name: str = "",
    y_name: str = "",
    area: bool = False,
    colors: Mapping[str, str] | None = None,
    y_min: float | None = None,
    y_max: float | None = None,
) -> None:
    """Lines over a column of times, numbers or names; gaps where a value is missing are bridged."""
    columns = [y] if isinstance(y, str) else list(y)
    style: dict[str, Any] = {"areaStyle": {"opacity": 0.12}} if area else {}
    series = [
        _series("line", x, column, colors, showSymbol=len(frame) < 3, connectNulls=True, **style) for column in columns
    ]
    axes = {"xAxis": _x_axis(frame, x, x_name), "yAxis": _y_axis(y_name, y_min, y_max)}
    _draw({**_base(frame[[x, *columns]], columns), **axes, "series": series}, key, height, alt)


def bar_chart(
    frame: pd.DataFrame,
    *,
    x: str,
    y: Sequence[str] | str,
    key: str,
    height: int = 240,
    alt: str | None = None,
    x_name: str = "",
    y_name: str = "",
    stacked: bool = False,
    horizontal: bool = False,
    colors: Mapping[str, str] | None = None,
    y_max: float | None = None,
) -> None:
    """Bars by name or time, side by side or stacked, standing or lying."""
    columns = [y] if isinstance(y, str) else list(y)
    stack: dict[str, Any] = {"stack": "all"} if stacked else {}
    series = [_series("bar", x, column, colors, flip=horizontal, barMaxWidth=28, **stack) for column in columns]
    names, values = _x_axis(frame, x, x_name), _y_axis(y_name, 0, y_max)
    axes = {"xAxis": values, "yAxis": {**names, "inverse": True}} if horizontal else {"xAxis": names, "yAxis": values}
    _draw({**_base(frame[[x, *columns]], columns), **axes, "series": series}, key, height, alt)


def _base(frame: pd.DataFrame, columns: Sequence[str]) -> dict[str, Any]:
    legend = {"show": len(columns) > 1, "top": 0, "right": 0, "icon": "roundRect", "itemWidth": 10, "itemHeight": 10}
    return {
        "animation": False,
        "tooltip": {"trigger": "axis"},
        "legend": legend,
        "grid": _GRID,
        "dataset": {"source": frame},
    }


def _series(
    kind: str, x: str, column: str, colors: Mapping[str, str] | None, flip: bool = False, **more: Any
) -> dict[str, Any]:
    encode = {"x": column, "y": x} if flip else {"x": x, "y": column}
    color = {"color": colors[column]} if colors and column in colors else {}
    return {"type": kind, "name": column, "encode": encode, **color, **more}


def _x_axis(frame: pd.DataFrame, x: str, name: str) -> dict[str, Any]:
    column = frame[x]
    if pd.api.types.is_datetime64_any_dtype(column):
        kind = "time"
    else:
        kind = "value" if pd.api.types.is_numeric_dtype(column) else "category"
    axis: dict[str, Any] = {"type": kind, "name": name, "nameLocation": "middle", "nameGap": 26}
    return {**axis, "splitLine": {"show": False}, "min": "dataMin", "max": "dataMax"} if kind == "value" else axis


def _y_axis(name: str, low: float | None, high: float | None) -> dict[str, Any]:
    limits = {side: value for side, value in (("min", low), ("max", high)) if value is not None}
    return {"type": "value", "name": name, "scale": low is None, "nameTextStyle": {"align": "left"}, **limits}


def _draw(option: dict[str, Any], key: str, height: int, alt: str | None) -> None:
    st.echarts_chart(option, key=key, height=height, alt=alt)
