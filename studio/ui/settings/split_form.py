"""The dialog that puts several providers' models behind one name."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import Project, Provider
from studio.deploy.splitting import ProviderShare, share_of
from studio.ui.state import current_actor, current_studio, reported_errors

MODEL, SHARE = "Provider/model", "Share (%)"


@st.dialog("One name for several models", icon=":material/call_split:", width="medium")
def split_dialog(project: Project, providers: list[Provider]) -> None:
    """An alias, and who answers it with which share."""
    with st.form("split_form", border=False):
        alias = st.text_input("Name that callers use", placeholder="triage", key="split_alias")
        st.caption(
            "Shares make 100 %. A model with 0 % answers when the others cannot, in this order. Models of your own keep"
            " the share that Deploy gave them."
        )
        table = st.data_editor(
            _examples(providers), num_rows="dynamic", hide_index=True, key="split_shares", width="stretch"
        )
        if not st.form_submit_button("Split calls", type="primary"):
            return
    with reported_errors():
        current_studio().deployments.split(current_actor(), project.id, alias, shares_of(table))
        st.rerun()


def _examples(providers: list[Provider]) -> pd.DataFrame:
    names = [f"{provider.name}/{name}" for provider in providers for name in provider.models if name != "*"][:2]
    rows = [(name, 0.0 if place else 100.0) for place, name in enumerate(names)]
    return pd.DataFrame(rows, columns=[MODEL, SHARE]).astype({MODEL: "string", SHARE: "Float64"})


def shares_of(table: pd.DataFrame) -> list[ProviderShare]:
    """The rows that name a model. Raises InvalidInput."""
    rows = [(_text(row[MODEL]), row[SHARE]) for row in table.to_dict("records")]
    return [share_of(f"{name}={0 if pd.isna(share) else share}") for name, share in rows if name]


def _text(cell: Any) -> str:
    return "" if pd.isna(cell) else str(cell).strip()
