"""Advanced: every value of the plan can be set; an empty field keeps the advice it shows."""

from __future__ import annotations

from typing import Any

import streamlit as st

from studio.train.plan import Plan

NUMBERS: tuple[tuple[str, str, float, float], ...] = (
    ("lora_r", "Adapter rank", 1, 256),
    ("num_train_epochs", "Passes over the data", 0.1, 100.0),
    ("learning_rate", "Learning rate", 1e-7, 1.0),
    ("batch_size", "Rows per step", 1, 512),
    ("max_length", "Longest row, in tokens", 16, 131072),
    ("max_steps", "Step limit", 1, 1_000_000),
    ("seed", "Seed", 0, 2**31 - 1),
)


def advanced(advice: Plan) -> dict[str, Any]:
    """The values a person set instead of the advised ones."""
    with st.expander("Advanced: change a value", icon=":material/tune:", key="advanced"):
        columns = st.columns(3)
        way = columns[0].selectbox(
            "What is trained", ["lora", "full"], index=None, placeholder="lora, as advised", key="set_training"
        )
        given: dict[str, Any] = {"training": way}
        for number, (name, label, low, high) in enumerate(NUMBERS, start=1):
            given[name] = columns[number % 3].number_input(
                label, low, high, None, placeholder=written(advice.value(name)), key=f"set_{name}", format=_format(low)
            )
    return {name: value for name, value in given.items() if value is not None}


def written(value: Any) -> str:
    """A value of the plan as text."""
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _format(low: float) -> str:
    return "%d" if isinstance(low, int) else "%g"
