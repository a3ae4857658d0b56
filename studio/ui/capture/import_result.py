"""What an import came to: counts, what was left out and why, the refused rows to look at and to download."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import Job
from studio.ui.formats import plain
from studio.ui.state import current_studio

ROW_HEIGHT = 34
MOST_SHOWN = 8
MOST_LINES = 4


COUNTS = ("imported", "duplicates", "feedback", "held_back", "skipped")


def import_results(jobs: list[Job]) -> None:
    """The outcome of imports that have ended: a line for each, or one line for very many; and refused rows."""
    if len(jobs) > MOST_LINES:
        sums = {name: sum(job.result.get(name) or 0 for job in jobs) for name in COUNTS}
        _line(f"{len(jobs)} files", {**sums, "why_skipped": {}})
    for job in jobs:
        if len(jobs) <= MOST_LINES:
            _line(_name(job), job.result)
        _refused(job)


def _line(name: str, result: dict[str, Any]) -> None:
    imported, known = result.get("imported", 0), result.get("duplicates", 0)
    before = f"{known:,} {'was' if known == 1 else 'were'} here already."
    text = f"{name}: **{imported:,}** {_calls(imported)} imported, {before}"
    st.success(" ".join([text, *_beside(result)]), icon=":material/check:")


def _name(job: Job) -> str:
    return plain(str(job.spec.get("filename") or job.title))


def _refused(job: Job) -> None:
    result, name = job.result, _name(job)
    if errors := result.get("errors"):
        title = f"{_rows(errors)} of {name} could not be read"
        with st.expander(title, icon=":material/warning:", key=f"row_errors_{job.id}"):
            refused_rows(result["first_errors"], key=f"row_error_table_{job.id}")
            _download(job)


def refused_rows(rows: list[dict[str, Any]], *, key: str | None = None) -> None:
    """Rows that were refused: where, which field, what is wrong and what to do."""
    named = {"file": "File", "line": "Row", "field": "Field", "reason": "What is wrong, and what to do"}
    frame = pd.DataFrame([{title: row.get(name, "") for name, title in named.items()} for row in rows])
    frame = frame.drop(columns=[title for title in ("File", "Field") if not frame[title].any()])
    st.dataframe(
        frame,
        hide_index=True,
        key=key,
        row_height=ROW_HEIGHT,
        height=min(len(rows), MOST_SHOWN) * ROW_HEIGHT + 38,
        column_config={
            "File": st.column_config.TextColumn(width=150),
            "Row": st.column_config.NumberColumn(width=70),
            "Field": st.column_config.TextColumn(width=130),
        },
        alt="Rows that were refused",
    )


def _calls(n: int) -> str:
    return "call" if n == 1 else "calls"


def _rows(n: int) -> str:
    return f"{n:,} {'row' if n == 1 else 'rows'}"


def _beside(result: dict[str, Any]) -> list[str]:
    """Further sentences, where there is something to tell."""
    told = []
    if given := result.get("feedback"):
        told.append(f"{given:,} pieces of feedback put on calls.")
    if held := result.get("held_back"):
        told.append(f"{held:,} {_calls(held)} kept out by the project's privacy settings.")
    if skipped := result.get("skipped"):
        why = "; ".join(plain(reason.rstrip(".")) for reason in list(result.get("why_skipped") or {})[:2])
        told.append(f"{_rows(skipped)} left out: no calls{f' ({why})' if why else ''}.")
    return told


def _download(job: Job) -> None:
    st.download_button(
        "Download all refused rows",
        data=lambda: b"".join(current_studio().imports.error_rows(job)),
        file_name="refused-rows.csv",
        mime="text/csv",
        key=f"row_errors_download_{job.id}",
        icon=":material/download:",
        on_click="ignore",
    )
