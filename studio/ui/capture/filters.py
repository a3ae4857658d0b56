"""The Capture page's filter row, kept in the address, and the LogFilter it stands for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import streamlit as st

from storage.tables import Project
from storage.types import now
from studio.capture.filters import LogFilter
from studio.capture.logs import Count, Facets
from studio.ui.state import keep_filters, restore_filters

RANGES = {"24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30), "All": None}
RATINGS = {"Up": "up", "Down": "down", "Unrated": "none"}
KEYS = ("q", "model", "status", "rating", "tag", "range")
CURSOR = "capture_cursor"


def filter_row(project: Project, facets: Facets) -> LogFilter:
    """Search, model, status, rating and tags; call `range_choice` before it."""
    _drop_unknown(facets)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="capture_filters"):
        st.text_input(
            "Search",
            key="q",
            type="search",
            live=True,
            placeholder='Search prompts and replies, "exact phrase"',
            label_visibility="collapsed",
            bind="query-params",
            on_change=to_first_page,
        )
        _choice("Model", list(facets.models), "model", 190)
        _choice("Status", list(facets.statuses), "status", 150)
        _choice("Rating", list(RATINGS), "rating", 140)
        _choice("Tag", tag_options(facets), "tag", 150)
    keep_filters("capture", KEYS)
    return chosen_filter(project)


def range_choice() -> None:
    """The time range; the first of the page's filters, so it brings the remembered ones back."""
    restore_filters("capture", KEYS)
    st.segmented_control(
        "Range",
        list(RANGES),
        key="range",
        default="30d",
        required=True,
        label_visibility="collapsed",
        bind="query-params",
        on_change=to_first_page,
    )


def chosen_filter(project: Project) -> LogFilter:
    """The filter that the row shows now."""
    state = st.session_state
    return LogFilter(
        project.id,
        text=state.get("q") or "",
        models=tuple(sorted(state.get("model") or ())),
        statuses=tuple(sorted(state.get("status") or ())),
        ratings=tuple(RATINGS[name] for name in state.get("rating") or ()),
        tags=tuple(_pair(option) for option in state.get("tag") or ()),
        since=range_start(state.get("range") or "30d"),
    )


def range_start(name: str) -> datetime | None:
    """Start of the range, on a whole hour, so that the hourly roll-up answers exactly."""
    span = RANGES[name]
    return (now() - span).replace(minute=0, second=0, microsecond=0) if span else None


def tag_options(facets: Facets) -> list[str]:
    """Tags as `name=value`, the most frequent values of each name."""
    return [f"{name}={value}" for name, values in facets.tags.items() for value in list(values)[:20]]


def clear_filters() -> None:
    """Show everything again."""
    st.session_state.update(q="", model=[], status=[], rating=[], tag=[], range="All")
    to_first_page()


def calls_in_words(count: Count) -> str:
    """**1** call · **1,234** calls."""
    return f"**{count}** {'call' if count.n == 1 else 'calls'}"


def to_first_page() -> None:
    """Forget the pages that were turned."""
    st.session_state[CURSOR] = []


def _choice(label: str, options: list[str], key: str, width: int) -> None:
    st.multiselect(
        label,
        options,
        key=key,
        placeholder=label,
        label_visibility="collapsed",
        bind="query-params",
        on_change=to_first_page,
        width=width,
    )


def _drop_unknown(facets: Facets) -> None:
    """A remembered value that no longer occurs would stop the widget."""
    known: dict[str, Iterable[str]] = {
        "model": facets.models,
        "status": facets.statuses,
        "rating": RATINGS,
        "tag": tag_options(facets),
    }
    for key, options in known.items():
        if key in st.session_state:
            st.session_state[key] = [value for value in st.session_state[key] or () if value in options]


def _pair(option: str) -> tuple[str, str]:
    name, _, value = option.partition("=")
    return name, value
