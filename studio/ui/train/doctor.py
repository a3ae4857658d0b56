"""The run doctor on screen: what would make the run fail or mislead, found before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from studio.train.doctor import Finding
from studio.train.plan import Plan
from studio.ui.components import next_step
from studio.ui.formats import plain
from studio.ui.navigation import page_named
from studio.ui.state import current_actor
from studio.ui.train.advanced import set_values
from studio.ui.train.choice import Choice
from studio.ui.train.rehearsal import batch_view, findings_of, look_button, rehearsed, under_way

COLORS = {"warning": "orange", "info": "gray"}


def doctor(choice: Choice, plan: Plan, findings: Sequence[Finding], overrides: dict[str, Any]) -> None:
    """What is known without running anything; and once one batch was looked at, what that showed."""
    rehearsal = rehearsed(choice, plan)
    found = findings_of(rehearsal) if rehearsal else findings
    with st.container(border=True, key="doctor", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f":material/stethoscope: **Run doctor** :gray[{summary(found)}]", width="content")
            look_button(current_actor(), choice, overrides, again=rehearsal is not None)
        for number, finding in enumerate(found):
            _finding(finding, f"finding_{number}")
        under_way(choice.project_id)
        if rehearsal:
            batch_view(rehearsal)


def summary(findings: Sequence[Finding]) -> str:
    """How many of what was found matter."""
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = sum(finding.severity == "warning" for finding in findings)
    if errors:
        return "this run would fail"
    if not warnings:
        return "nothing stands in the way"
    return "one thing to look at" if warnings == 1 else f"{warnings} things to look at"


def _finding(finding: Finding, key: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=key):
        if finding.severity == "error":
            st.error(plain(finding.sentence), icon=":material/error:", width="stretch")
        else:
            st.markdown(f":{COLORS[finding.severity]}[:material/{finding.severity}:] {plain(finding.sentence)}")
        if finding.overrides:
            given = {"key": f"{key}_fix", "on_click": set_values, "args": (finding.overrides,)}
            st.button("Fix it", type="tertiary", icon=":material/build:", **given)  # type: ignore[arg-type]
        elif finding.page:
            next_step(f"Open {page_named(finding.page).title}", finding.page)
