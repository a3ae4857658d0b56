"""What the Capture page asks, each answer kept for a while: a redraw that changes no filter asks for the rows only."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from storage.tables import LogEntry
from studio.capture.explorer.answers import FacetValue, Point, Sort
from studio.capture.explorer.answers import Page as CallPage
from studio.capture.filters import LogFilter
from studio.capture.logs import Count
from studio.ui.state import current_studio

STEPS = 60
PAGE = 50


def calls(criteria: LogFilter, sort: Sort, after: str | None) -> CallPage:
    """One page of calls, always asked anew."""
    return current_studio().explorer.page(criteria, sort, after, PAGE)


@st.cache_data(ttl=30, max_entries=500, show_spinner=False)
def count(criteria: LogFilter, newest: int) -> Count:
    """How many calls match, as of the newest one."""
    return current_studio().explorer.count(criteria)


@st.cache_data(ttl=30, max_entries=300, show_spinner=False)
def facets(criteria: LogFilter, newest: int, names: Sequence[str]) -> dict[str, list[FacetValue]]:
    """Values to filter by with their counts."""
    return current_studio().explorer.facets(criteria, tuple(names))


@st.cache_data(ttl=30, max_entries=300, show_spinner=False)
def tag_names(criteria: LogFilter, newest: int) -> list[str]:
    """Names of the tags that the calls carry."""
    return list(current_studio().explorer.tag_names(criteria))


@st.cache_data(ttl=30, max_entries=300, show_spinner=False)
def series(criteria: LogFilter, newest: int) -> list[Point]:
    """The steps of the charts."""
    return current_studio().explorer.series(criteria, STEPS)


@st.cache_data(ttl=30, max_entries=300, show_spinner=False)
def whole(criteria: LogFilter, newest: int) -> Point | None:
    """The same figures over the whole time: percentiles of steps cannot be added up."""
    points = current_studio().explorer.series(criteria, 1)
    return points[0] if len(points) == 1 else added_up(points)


def added_up(points: Sequence[Point]) -> Point | None:
    """The sums alone, while there is no index to tell percentiles."""
    if not points:
        return None
    calls, errors = sum(point.calls for point in points), sum(point.errors for point in points)
    cost = sum(point.cost_usd for point in points)
    tokens = sum(point.prompt_tokens for point in points), sum(point.completion_tokens for point in points)
    return Point(points[0].at, calls, errors, cost, *tokens)


def before(entry: LogEntry) -> LogEntry | None:
    """The call before this one in the same conversation."""
    return current_studio().explorer.related(entry).previous
