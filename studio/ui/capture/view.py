"""The parts of the Capture page: volume, the table of calls with its pager, what arrives, what jobs did."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import Job, Project
from storage.types import now
from studio.capture.filters import LogFilter
from studio.capture.logs import Count, LogRow, VolumePoint
from studio.ui.capture.filters import CURSOR, calls_in_words, clear_filters
from studio.ui.charts import STATUS_COLORS, bar_chart
from studio.ui.formats import ago, plain
from studio.ui.state import current_studio

PAGE = 50
ROW_HEIGHT = 34
FOLLOW_S, IDLE_S = 2, 15
RECENT = timedelta(minutes=5)
JUST_NOW = timedelta(minutes=10)
OPENED = "call"
TABLE = "capture_table"
COLUMNS = {
    "time": st.column_config.DatetimeColumn("Time", format="MMM D, HH:mm:ss", width=118),
    "model": st.column_config.TextColumn("Model", width=112),
    "status": st.column_config.TextColumn("Status", width=64),
    "prompt": st.column_config.TextColumn("Prompt", width=215),
    "reply": st.column_config.TextColumn("Reply", width=200),
    "latency": st.column_config.NumberColumn("Latency", format="%d ms", width=66),
    "tokens": st.column_config.NumberColumn("Tokens", width=58),
    "cost": st.column_config.NumberColumn("Cost", format="$%.5f", width=74),
    "rating": st.column_config.TextColumn("Rating", width=54),
}


def explorer(project: Project, criteria: LogFilter) -> None:
    """Volume and calls; it follows what arrives while the first page is shown and no call is open."""
    following = not st.session_state.get(CURSOR) and OPENED not in st.query_params
    every = (FOLLOW_S if _is_busy(project) else IDLE_S) if following else None
    st.fragment(_explorer, run_every=every)(project, criteria)


def _explorer(project: Project, criteria: LogFilter) -> None:
    newest = current_studio().logs.newest_id(project.id)
    _chart(_volume(criteria, newest // 20))
    if criteria.text.strip() or criteria.ratings or criteria.tags:
        st.caption("The chart counts all calls of these models, statuses and times: search, rating and tags aside.")
    cursor: list[int] = st.session_state.setdefault(CURSOR, [])
    rows = current_studio().logs.page(criteria, before=cursor[-1] if cursor else None, limit=PAGE)
    if not rows:
        _no_match()
        return
    _pager(_count(criteria, newest), cursor, rows)
    _table(rows)


@st.cache_data(ttl=30, max_entries=500, show_spinner=False)
def _count(criteria: LogFilter, newest: int) -> Count:
    return current_studio().logs.count(criteria)


@st.cache_data(ttl=60, max_entries=200, show_spinner=False)
def _volume(criteria: LogFilter, newest: int) -> list[VolumePoint]:
    return current_studio().logs.volume(criteria)


def _chart(points: list[VolumePoint]) -> None:
    statuses = [status for status in STATUS_COLORS if any(point.status == status for point in points)]
    if not points or not statuses:
        return
    frame = pd.DataFrame([{"at": point.at, point.status: point.calls} for point in points])
    frame = frame.groupby("at", as_index=False)[statuses].sum()
    bar_chart(
        frame, x="at", y=statuses, stacked=True, colors=STATUS_COLORS, key="volume", height=130, alt="Calls by status"
    )


def _pager(count: Count, cursor: list[int], rows: list[LogRow]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(horizontal=True, vertical_alignment="center", width="content", key="call_count"):
            st.markdown(calls_in_words(count))
            st.caption(f"newest {ago(rows[0].created_at)}" if not cursor else f"page {len(cursor) + 1}")
        with st.container(horizontal=True, width="content", gap="small"):
            newer = {"disabled": not cursor, "on_click": lambda: cursor.pop(), "icon": ":material/chevron_left:"}
            st.button("Newer", key="newer", type="tertiary", **newer)  # type: ignore[arg-type]
            st.button(
                "Older",
                key="older",
                type="tertiary",
                icon=":material/chevron_right:",
                icon_position="right",
                disabled=len(rows) < PAGE,
                on_click=lambda: cursor.append(rows[-1].id),
            )


def _table(rows: list[LogRow]) -> None:
    """The rows' ids are part of the key: when rows move, no selection may move to another call."""
    version = st.session_state.setdefault(TABLE, 0)
    event: Any = st.dataframe(
        pd.DataFrame([_line(row) for row in rows]),
        key=f"calls_{rows[0].id}_{rows[-1].id}_{version}",
        hide_index=True,
        height=min(460, 38 + ROW_HEIGHT * len(rows)),
        row_height=ROW_HEIGHT,
        on_select="rerun",
        selection_mode="single-row",
        column_config=COLUMNS,
        alt="Captured calls",
    )
    chosen = event.selection.rows
    if chosen and chosen[0] < len(rows):
        st.query_params[OPENED] = rows[chosen[0]].uid
        st.session_state[TABLE] = version + 1
        st.rerun()


def _line(row: LogRow) -> dict[str, Any]:
    return {
        "time": row.created_at,
        "model": row.model,
        "status": row.status,
        "prompt": row.prompt,
        "reply": row.reply,
        "latency": row.latency_ms,
        "tokens": row.tokens,
        "cost": row.cost_usd,
        "rating": row.rating or "",
    }


def _no_match() -> None:
    with st.container(border=True, horizontal_alignment="center", gap="xsmall", key="no_match"):
        st.markdown("#### No calls match these filters", text_alignment="center")
        st.caption("Try a wider time range or fewer words.", text_alignment="center")
        st.button("Clear filters", on_click=clear_filters, key="clear_filters")


def _is_busy(project: Project) -> bool:
    newest = current_studio().logs.page(LogFilter(project.id), limit=1)
    return bool(newest) and now() - newest[0].created_at < RECENT


def job_results(project: Project) -> None:
    """What the latest import or addition did, for some minutes after it ended."""
    for job in current_studio().jobs.recent(project.id, limit=1, kinds=("import", "add_logs")):
        if job.status == "succeeded" and job.finished_at and now() - job.finished_at < JUST_NOW:
            (_imported if job.kind == "import" else _added)(job)


def _imported(job: Job) -> None:
    result = job.result
    text = f"**{result.get('imported', 0):,}** calls imported, {result.get('duplicates', 0):,} were here already."
    st.success(text, icon=":material/check:")
    if result.get("errors"):
        rows = "1 row" if result["errors"] == 1 else f"{result['errors']:,} rows"
        with st.expander(f"{rows} could not be read", icon=":material/warning:", key="row_errors"):
            st.dataframe(pd.DataFrame(result["first_errors"]), hide_index=True, key="row_error_table")


def _added(job: Job) -> None:
    excluded = sum((job.result.get("excluded") or {}).values())
    text = (
        f"{plain(job.title)}: **{job.result.get('included', 0):,}** examples in, {excluded:,} left out with a reason."
    )
    st.success(text, icon=":material/check:")
