"""The plan of a choice, made once and kept until something changes, so that opening the page costs nothing."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from studio.train.advice import load_for
from studio.train.doctor import Finding
from studio.train.estimate import Badge, badges
from studio.train.machine import devices
from studio.train.plan import Plan
from studio.train.recipe_text import exported
from studio.ui.state import current_studio
from studio.ui.train.choice import Choice

KEPT_S = 300


def planned(choice: Choice, overrides: dict[str, Any]) -> tuple[Plan, list[Finding]]:
    """The plan and what the doctor finds without running anything."""
    return _planned(choice, json.dumps(overrides, sort_keys=True), newest_measure(choice.project_id))


def fits(plan: Plan) -> list[Badge]:
    """Whether the plan fits on every processor of this machine, and what would make it fit."""
    load = load_for(plan.situation, plan.way, plan.named, plan.steps)
    return badges(plan.situation.shape, load, _devices(), current_studio().settings.worker_gpus)


def recipe_of(plan: Plan) -> str:
    """The exact recipe that the plan would run."""
    return exported(plan.recipe(), plan.studio())


def newest_measure(project_id: str) -> str:
    """Changes whenever a run or a rehearsal ends, for a measured speed makes the next estimate better."""
    studio = current_studio()
    ended = [run.finished_at for run in studio.training.all(project_id) if run.finished_at]
    ended += [job.finished_at for job in studio.jobs.recent(project_id, 1, ("rehearse",)) if job.finished_at]
    return max(ended).isoformat() if ended else ""


@st.cache_data(ttl=KEPT_S, max_entries=128, show_spinner="Reading the version")
def _planned(choice: Choice, overrides: str, newest: str) -> tuple[Plan, list[Finding]]:
    training, given = current_studio().training, json.loads(overrides)
    version, preset, method = choice.version_id, choice.preset, choice.method
    if choice.base_kind == "hub":
        return training.plan_hub(choice.project_id, version, choice.base_key, preset, given, method)
    return training.planned(version, choice.base_key, preset, method, given)


@st.cache_data(ttl=60, show_spinner=False)
def _devices() -> list[Any]:
    return devices()
