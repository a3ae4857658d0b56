"""The dialog that adds or changes a provider."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import Project, Provider
from studio.access.providers import KINDS
from studio.ui.state import current_actor, current_studio, reported_errors

SIDES = {"Prompt": "prompt", "Completion": "completion", "Cached": "cached", "Cache write": "cache_write"}
"""Columns of prices, and how a provider keeps them."""
ADDRESSES = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com/v1"}


@st.dialog("Provider", icon=":material/hub:", width="medium")
def provider_dialog(project: Project, provider: Provider | None) -> None:
    """Address, key, and the models with their prices; an empty key keeps the saved one."""
    with st.form("provider_form", border=False):
        known = provider is not None
        name = st.text_input("Name", provider.name if provider else "", disabled=known, placeholder="openai")
        address = provider.base_url if provider else ""
        kind = st.selectbox(
            "Speaks like",
            list(KINDS),
            list(KINDS).index(provider.kind) if provider else 0,
            format_func=KINDS.__getitem__,
            key="provider_kind",
        )
        base_url = st.text_input("Address", address, placeholder=" or ".join(ADDRESSES.values()))
        hint = "Leave empty to keep the saved key" if known else "sk-…"
        key = st.text_input("API key", type="password", placeholder=hint, autocomplete="off")
        st.caption(
            "Models to forward, with prices in USD per million tokens. A single row * forwards every name."
            " Leave the prices of a cache empty where the prompt's counts."
        )
        table = st.data_editor(
            model_table(provider), num_rows="dynamic", hide_index=True, key="provider_models", width="stretch"
        )
        if not st.form_submit_button("Save provider", type="primary"):
            return
    with reported_errors():
        models, prices = models_and_prices(table)
        current_studio().providers.save(current_actor(), project.id, name, base_url, key, models, prices, kind)
        st.rerun()


def model_table(provider: Provider | None) -> pd.DataFrame:
    """The provider's models as rows to edit."""
    prices = provider.prices if provider else {}
    rows = [
        (name, *(prices.get(name, {}).get(side) for side in SIDES.values()))
        for name in (provider.models if provider else ["*"])
    ]
    frame = pd.DataFrame(rows, columns=["Model", *SIDES])
    return frame.astype({"Model": "string", **dict.fromkeys(SIDES, "Float64")})


def models_and_prices(table: pd.DataFrame) -> tuple[list[str], dict[str, dict[str, float]]]:
    """The edited rows as the provider's models and prices; rows without a name are dropped."""
    rows = [row for row in table.to_dict("records") if _text(row["Model"])]
    models = [_text(row["Model"]) for row in rows]
    prices = {_text(row["Model"]): _prices(row) for row in rows if _prices(row)}
    return models, prices


def _text(cell: Any) -> str:
    return "" if pd.isna(cell) else str(cell).strip()


def _prices(row: dict[Any, Any]) -> dict[str, float]:
    return {side: float(row[column]) for column, side in SIDES.items() if not pd.isna(row.get(column))}
