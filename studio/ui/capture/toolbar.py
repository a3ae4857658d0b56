"""The row above the calls: search, time range, saved views, live tail, export and the link to what is on screen."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import streamlit as st

from storage.tables import Project
from storage.types import now
from studio.ui.capture import place
from studio.ui.capture.address import SPANS, is_custom, span_of, times_of
from studio.ui.capture.exporting import export_menu
from studio.ui.capture.views import views_menu

CUSTOM = "Custom"


def toolbar(project: Project) -> None:
    """Everything that chooses what is shown, but the facets."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="capture_bar"):
        _search()
        _span()
        _custom()
        views_menu(project)
        export_menu(project)
        _live()


def _search() -> None:
    """The address decides what the field says; it is set only where it differs, so that nobody's typing is undone."""
    if st.session_state.get("q") != place.one("q"):
        st.session_state["q"] = place.one("q")
    st.text_input(
        "Search",
        key="q",
        type="search",
        live=True,
        placeholder='Search prompts and replies, "exact phrase"',
        label_visibility="collapsed",
        on_change=lambda: place.change(q=[st.session_state["q"] or ""]),
    )


def _span() -> None:
    query = place.here()
    shown = None if is_custom(query) else span_of(query)
    if st.session_state.get("range") != shown:
        st.session_state["range"] = shown
    st.segmented_control("Range", list(SPANS), key="range", label_visibility="collapsed", on_change=_take_span)


def _take_span() -> None:
    chosen = st.session_state["range"]
    if chosen:
        place.change(**{"range": [chosen], "from": [], "to": []})


def _custom() -> None:
    since, until = times_of(place.here())
    own = is_custom(place.here())
    label = f"{_short(since) or '…'} – {_short(until) or 'now'}" if own else CUSTOM
    with st.popover(label, icon=":material/date_range:", key="custom_range", type="secondary" if own else "tertiary"):
        zone = _zone()
        start = (since or now() - timedelta(days=1)).astimezone(zone)
        end = (until or now()).astimezone(zone)
        with st.form("custom_times", border=False):
            left, right = st.columns(2)
            days = left.date_input("From", start.date(), key=f"from_day_{start:%y%m%d}")
            hours = right.time_input(
                "Time", start.time().replace(second=0, microsecond=0), key=f"from_time_{start:%H%M}"
            )
            until_day = left.date_input("To", end.date(), key=f"to_day_{end:%y%m%d}")
            until_hour = right.time_input(
                "Time", end.time().replace(second=0, microsecond=0), key=f"to_time_{end:%H%M}"
            )
            st.caption(f"Times are those of {zone}.")
            if st.form_submit_button("Show this time", type="primary"):
                _take_times(days, hours, until_day, until_hour, zone)


def _take_times(day: object, hour: object, until_day: object, until_hour: object, zone: ZoneInfo) -> None:
    since, until = _joined(day, hour, zone), _joined(until_day, until_hour, zone)
    if since and until and since >= until:
        st.error("The end comes before the start. Choose a later end.", icon=":material/error:")
        return
    words = {name: [f"{each:%Y-%m-%dT%H:%M:%SZ}"] if each else [] for name, each in (("from", since), ("to", until))}
    place.change(range=[], **words)
    st.rerun()


def _joined(day: object, hour: object, zone: ZoneInfo) -> datetime | None:
    if not hasattr(day, "year") or not isinstance(hour, time):
        return None
    return datetime.combine(day, hour, zone).astimezone(UTC)  # type: ignore[arg-type]


def _short(moment: datetime | None) -> str:
    return f"{moment.astimezone(_zone()):%-d %b %H:%M}" if moment else ""


def _zone() -> ZoneInfo:
    return ZoneInfo(st.context.timezone or "UTC")


def _live() -> None:
    on = place.one("live") == "1"
    if st.session_state.get("live") != on:
        st.session_state["live"] = on
    st.toggle(
        "Live",
        key="live",
        help="New calls slide in every second while nothing is open or selected.",
        on_change=_take_live,
    )


def _take_live() -> None:
    place.turn_to_start()
    place.set_one("live", "1" if st.session_state["live"] else "")
