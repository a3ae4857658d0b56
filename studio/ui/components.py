"""The parts every page is made of, so that all pages read alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import streamlit as st

from studio.ui.job_panel import job_panel
from studio.ui.navigation import page_named, pages_for
from studio.ui.state import current_actor, current_studio
from studio.ui.statuses import status_look

__all__ = ["active_jobs", "empty_state", "job_panel", "metric_row", "next_step", "page_header", "status_badge"]

Metric = tuple[str, str] | tuple[str, str, str]


def page_header(
    title: str,
    caption: str,
    *,
    primary: str | None = None,
    icon: str | None = None,
    key: str = "primary",
    disabled: bool = False,
    help: str | None = None,
) -> bool:
    """Title and one caption line left, the page's one primary button right; whether it was clicked."""
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        with st.container(gap=None, width="content"):
            st.title(title, anchor=False)
            st.caption(caption)
        if primary is None:
            return False
        return st.button(primary, type="primary", icon=_icon(icon), key=key, disabled=disabled, help=help)


def empty_state(
    icon: str,
    title: str,
    caption: str,
    button: str | None = None,
    page: str | None = None,
    key: str = "empty",
) -> bool:
    """What a page shows before there is anything: an icon, a sentence, a hint and one button; whether it was clicked.

    With `page`, the button goes to that page instead.
    """
    with st.container(border=True, horizontal_alignment="center", gap="xsmall", key=f"{key}_state"):
        st.space("medium")
        st.markdown(f":gray[{_icon(icon)}]", text_alignment="center")
        st.markdown(f"#### {title}", text_alignment="center")
        st.caption(caption, text_alignment="center")
        clicked = bool(button) and st.button(str(button), type="primary", key=key)
        st.space("medium")
    if clicked and page:
        st.switch_page(page_named(page).path)
    return clicked


def next_step(text: str, page: str) -> None:
    """A link at the page's end to the next step of the loop, for those whose role sees it."""
    entry = page_named(page)
    if entry in pages_for(current_actor().role):
        st.page_link(entry.path, label=text, icon=":material/arrow_forward:", icon_position="right")


def active_jobs(project_id: str | None, kinds: Collection[str] | None = None, *, key: str = "active") -> int:
    """A panel for every job that waits or runs; how many there are."""
    jobs = [job for job in current_studio().jobs.active(project_id) if kinds is None or job.kind in kinds]
    for job in jobs:
        job_panel(job.id, key=f"{key}_{job.id}")
    return len(jobs)


def status_badge(text: str) -> None:
    """A status as a coloured badge, the same colour for the same meaning everywhere."""
    color, icon = status_look(text)
    st.badge(text, color=color, icon=icon)


def metric_row(metrics: Iterable[Metric]) -> None:
    """Equal cards of (label, value[, help])."""
    cards = list(metrics)
    with st.grid(len(cards), min_column_width=170, gap="small"):
        for label, value, *rest in cards:
            st.metric(label, value, help=rest[0] if rest else None, border=True, height="stretch")


def _icon(name: str | None) -> str | None:
    return f":material/{name.removeprefix(':material/').rstrip(':')}:" if name else None
