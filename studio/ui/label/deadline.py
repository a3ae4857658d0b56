"""Deadlines: a day in the viewer's own time zone, kept as the moment that day ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from storage.tables import LabelTask
from studio.ui.state import current_actor, current_studio, reported_errors

LAST_MOMENT = time(23, 59, 59)


def here() -> ZoneInfo:
    """The viewer's time zone; UTC where the browser names none that is known."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def end_of(day: date | None) -> datetime | None:
    """The moment the day ends where the viewer is."""
    return datetime.combine(day, LAST_MOMENT, here()).astimezone(UTC) if day else None


def day_of(moment: datetime | None) -> date | None:
    """The day a deadline falls on where the viewer is."""
    return moment.astimezone(here()).date() if moment else None


def deadline_input(start: datetime | None, key: str) -> datetime | None:
    """A day from today on, or none."""
    today = datetime.now(here()).date()
    day = day_of(start)
    first = min(today, day) if day else today
    chosen = st.date_input("Deadline", day, min_value=first, key=key, help="The end of this day. Empty: no deadline.")
    return end_of(chosen)


@st.dialog("Deadline", icon=":material/event:")
def deadline_dialog(task: LabelTask) -> None:
    """Set, move or remove the deadline; people see it on their page."""
    moment = deadline_input(task.deadline, f"deadline_day_{task.id}")
    if st.button("Save", type="primary", key="save_deadline"):
        with reported_errors():
            current_studio().labeling.set_deadline(current_actor(), task.id, moment)
            st.rerun()
