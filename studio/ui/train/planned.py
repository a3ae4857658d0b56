"""The plan of a choice, made once and kept until something changes, so that opening the page costs nothing."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from studio.train.plan import Plan
from studio.train.preflight import Finding
from studio.ui.state import current_studio
from studio.ui.train.choice import Choice

KEPT_S = 300


def planned(choice: Choice, overrides: dict[str, Any]) -> tuple[Plan, list[Finding]]:
    """The plan and what the doctor finds without running anything."""
    return _planned(choice, json.dumps(overrides, sort_keys=True), newest_run(choice.project_id))


def newest_run(project_id: str) -> str:
    """Changes whenever a run ends, for a run's measured speed makes the next estimate better."""
    ended = [run.finished_at for run in current_studio().training.all(project_id) if run.finished_at]
    return max(ended).isoformat() if ended else ""


@st.cache_data(ttl=KEPT_S, max_entries=128, show_spinner="Reading the version")
def _planned(choice: Choice, overrides: str, newest: str) -> tuple[Plan, list[Finding]]:
    training, given = current_studio().training, json.loads(overrides)
    if choice.base_kind == "hub":
        return training.plan_hub(choice.project_id, choice.version_id, choice.base_key, choice.preset, given)
    plan = training.plan(choice.version_id, choice.base_key, choice.preset, overrides=given)
    return plan, training.preflight(choice.version_id, choice.base_key, choice.preset, given)
