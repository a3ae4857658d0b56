"""Settings, Audit trail: who changed roles, keys, providers and projects."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from studio.access.audit import AuditTrail
from studio.ui.state import current_studio


def trail_tab() -> None:
    """Who changed roles, keys, providers and projects."""
    events = AuditTrail(current_studio().database).recent()
    rows = [
        {"When": event.at, "Who": event.who, "What": event.what, "Which": event.noun, "Detail": _facts(event.detail)}
        for event in events
    ]
    when = st.column_config.DatetimeColumn("When", format="distance", width=130)
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="trail", width="stretch", column_config={"When": when})


def _facts(detail: dict[str, object]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in detail.items())
