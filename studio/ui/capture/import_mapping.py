"""The mapping of a table's columns: each column with its first values and what it is, to be corrected."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from studio.capture.import_preview import Preview
from studio.capture.importers.columns import ROLES

LEFT_OUT = "Left out"
SHORT = {role: text.partition(":")[0] for role, text in ROLES.items()}
ROW_HEIGHT = 34
MOST_SHOWN = 6
EXAMPLES = 3


def mapping_editor(preview: Preview, *, key: str) -> dict[str, list[str]]:
    """The mapping as it is chosen now."""
    frame = pd.DataFrame(
        {
            "column": preview.columns,
            "is": [SHORT.get(_role(preview, column), LEFT_OUT) for column in preview.columns],
            "values": [_values(preview, column) for column in preview.columns],
        }
    )
    edited = st.data_editor(
        frame,
        key=key,
        hide_index=True,
        disabled=["column", "values"],
        row_height=ROW_HEIGHT,
        height=min(len(frame), MOST_SHOWN) * ROW_HEIGHT + 38,
        column_config={
            "column": st.column_config.TextColumn("Column", width=150, pinned=True),
            "is": st.column_config.SelectboxColumn("Is", options=[LEFT_OUT, *SHORT.values()], required=True, width=190),
            "values": st.column_config.TextColumn("First values"),
        },
        alt="What each column is",
    )
    return _mapping(edited)


def _role(preview: Preview, column: str) -> str:
    return next((role for role, columns in preview.mapping.items() if column in columns), "")


def _values(preview: Preview, column: str) -> str:
    values = [str(row[column]) for row in preview.rows if row.get(column) not in (None, "")]
    return " · ".join(value[:120] for value in dict.fromkeys(values[:EXAMPLES]))


def _mapping(edited: Any) -> dict[str, list[str]]:
    """What is chosen, as the import takes it."""
    roles = {text: role for role, text in SHORT.items()}
    mapping: dict[str, list[str]] = {}
    for column, chosen in zip(edited["column"], edited["is"], strict=True):
        if chosen in roles:
            mapping.setdefault(roles[chosen], []).append(str(column))
    return mapping
