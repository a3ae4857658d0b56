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


def import_result(job: Job) -> None:
    """The outcome of a job that has ended."""
    result = job.result
    text = f"**{result.get('imported', 0):,}** calls imported, {result.get('duplicates', 0):,} were here already."
    st.success(" ".join([text, *_beside(result)]), icon=":material/check:")
    if errors := result.get("errors"):
        rows = "1 row" if errors == 1 else f"{errors:,} rows"
        with st.expander(f"{rows} could not be read", icon=":material/warning:", key="row_errors"):
            refused_rows(result["first_errors"], key="row_error_table")
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


def _beside(result: dict[str, Any]) -> list[str]:
    """Further sentences, where there is something to tell."""
    told = []
    if given := result.get("feedback"):
        told.append(f"{given:,} pieces of feedback put on calls.")
    if held := result.get("held_back"):
        told.append(f"{held:,} calls kept out by the project's privacy settings.")
    if skipped := result.get("skipped"):
        why = "; ".join(plain(reason.rstrip(".")) for reason in list(result.get("why_skipped") or {})[:2])
        told.append(f"{skipped:,} rows left out, for they are no calls ({why}).")
    return told


def _download(job: Job) -> None:
    st.download_button(
        "Download all refused rows",
        data=lambda: b"".join(current_studio().imports.error_rows(job)),
        file_name="refused-rows.csv",
        mime="text/csv",
        key="row_errors_download",
        icon=":material/download:",
        on_click="ignore",
    )
