"""Clone and tweak: a run's choices laid into the set-up, ready to be changed."""

from __future__ import annotations

from typing import Any

import streamlit as st

from storage.tables import TrainingRun
from studio.ui.train.advanced import clear_values, set_values
from studio.ui.train.method_cards import METHOD, THEN
from studio.ui.train.views import SET_UP, VIEW

PARENT = "train_parent"


def prefill(run: TrainingRun, values: dict[str, Any]) -> None:
    """Lay the run's data, base, method and changed values into the set-up's fields, and go there."""
    clear_values()
    state = st.session_state
    state["version"], state["base"] = run.dataset_version_id, f"model:{run.base_model_id}"
    state[METHOD], state["preset"] = run.method, run.preset or "balanced"
    state.pop(THEN, None)
    set_values(values)
    state[PARENT], state[VIEW] = run.id, SET_UP
    st.query_params.pop("run", None)


def parent_id() -> str | None:
    """The run that the set-up was filled from."""
    parent = st.session_state.get(PARENT)
    return str(parent) if parent else None


def forget_parent() -> None:
    """The set-up is a new run again, with the advised values."""
    st.session_state.pop(PARENT, None)
    clear_values()
