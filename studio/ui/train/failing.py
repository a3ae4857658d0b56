"""Why a run failed: the cause, the evidence, and one click that starts it again with the fix."""

from __future__ import annotations

from typing import Any

import streamlit as st

from storage.tables import TrainingRun
from studio.access.actor import Role
from studio.errors import StudioError
from studio.ui.components import next_step
from studio.ui.formats import plain, span
from studio.ui.navigation import PAGES
from studio.ui.state import current_actor, current_studio, reported_errors
from studio.ui.train.choice import Choice
from studio.ui.train.planned import planned

PAGE_NAMES = frozenset(page.name for page in PAGES)


def failure_card(run: TrainingRun, failure: dict[str, Any]) -> None:
    """Cause, evidence, fix with its new estimate."""
    if not failure:
        return
    with st.container(border=True, key="failure_card", gap="small"):
        st.markdown(f"#### :red[:material/error:] {plain(str(failure.get('cause', 'It failed.')))}")
        if failure.get("evidence"):
            st.caption(plain(str(failure["evidence"])))
        if failure.get("log_line"):
            st.code(str(failure["log_line"]), language=None, wrap_lines=True)
        apply_button(run, failure.get("fix") or {}, str(failure.get("rule", "")), primary=True)


def apply_button(run: TrainingRun, fix: dict[str, Any], rule: str, *, primary: bool = False) -> None:
    """The fix as a button, with what the run would take then; or the page where a person has to do something."""
    page = str(fix.get("page") or "")
    if not fix.get("overrides") and not fix.get("resume"):
        if fix.get("label"):
            st.markdown(f":material/build: {plain(str(fix['label']))}")
        if page in PAGE_NAMES and page != "train":
            next_step(f"Open {page.capitalize()}", page)
        return
    if not current_actor().can(Role.EDITOR):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        kind = "primary" if primary else "secondary"
        clicked = st.button(plain(str(fix["label"])), key=f"apply_{rule}", type=kind, icon=":material/build:")  # type: ignore[arg-type]
        st.caption(plain(_takes(run, fix)))
    if clicked:
        _apply(run, rule)


def _apply(run: TrainingRun, rule: str) -> None:
    with reported_errors():
        started = current_studio().remedies.apply(current_actor(), run.id, rule)
        st.query_params["run"] = started.id
        st.rerun()


def _takes(run: TrainingRun, fix: dict[str, Any]) -> str:
    """What the run would take with the fix."""
    if fix.get("resume"):
        return "Goes on from the newest checkpoint."
    base = f"model:{fix.get('base_model_id') or run.base_model_id}"
    choice = Choice(run.project_id, run.dataset_version_id, base, run.preset or "balanced", run.method)
    values = current_studio().training.values_of(run) | dict(fix["overrides"])
    try:
        plan, _findings = planned(choice, values)
    except StudioError as error:
        return error.message
    low, high = plan.estimate.seconds_range
    return f"A new run of {span(low)} to {span(high)}."
