"""The mapping of a table's columns: each column with its first values and what it is, to be corrected."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from studio.capture.import_preview import Preview
from studio.capture.importers.columns import ROLES
from studio.ui.formats import plain

LEFT_OUT = ""
SHORT = {LEFT_OUT: "Left out", **{role: text.partition(":")[0] for role, text in ROLES.items()}}
WIDTHS = (2, 2, 5)
ROWS_SHOWN, HEIGHT = 5, 250
"""More columns than so many are scrolled."""
MOST_SHOWN = 100
EXAMPLES = 3
LONGEST = 78


def mapping_editor(preview: Preview, *, key: str) -> dict[str, list[str]]:
    """The mapping as it is chosen now."""
    mapping: dict[str, list[str]] = {}
    shown = _order(preview)[:MOST_SHOWN]
    height: Literal["content"] | int = HEIGHT if len(shown) > ROWS_SHOWN else "content"
    with st.container(border=True, height=height, gap="xsmall", key="import_mapping"):
        for number, column in enumerate(shown):
            if role := _row(preview, column, f"{key}_{number}"):
                mapping.setdefault(role, []).append(column)
    if (more := len(preview.columns) - len(shown)) > 0:
        st.caption(f"{more:,} more columns are left out. `studio import --map` takes any of them.")
    return mapping


def _order(preview: Preview) -> list[str]:
    """As in the file; of very many columns, those that seem to be something come first."""
    if len(preview.columns) <= MOST_SHOWN:
        return preview.columns
    return sorted(preview.columns, key=lambda column: not _role(preview, column))


def _row(preview: Preview, column: str, key: str) -> str:
    """One column; what it is."""
    name, is_a, values = st.columns(WIDTHS, vertical_alignment="center", gap="small")
    name.markdown(plain(_cut(column, LONGEST)))
    roles = list(SHORT)
    with is_a:
        chosen: str = st.selectbox(
            f"{plain(column)} is",
            roles,
            index=roles.index(_role(preview, column)),
            format_func=SHORT.__getitem__,
            key=key,
            label_visibility="collapsed",
        )
    values.caption(plain(_values(preview, column)))
    return chosen


def _role(preview: Preview, column: str) -> str:
    return next((role for role, columns in preview.mapping.items() if column in columns), LEFT_OUT)


def _values(preview: Preview, column: str) -> str:
    values = [" ".join(str(row[column]).split()) for row in preview.rows if row.get(column) not in (None, "")]
    some = list(dict.fromkeys(values))[:EXAMPLES]
    text = " · ".join(value if len(some) == 1 else _cut(value, LONGEST // len(some)) for value in some)
    return _cut(text, LONGEST)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
