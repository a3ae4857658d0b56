"""The run doctor on screen: what would make the run fail or mislead, found before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from studio.train.doctor import Finding
from studio.ui.components import next_step
from studio.ui.formats import plain
from studio.ui.navigation import page_named
from studio.ui.train.advanced import set_values
from studio.ui.train.choice import Choice

SEVERITY = {"error": ("error", "red"), "warning": ("warning", "orange"), "info": ("info", "gray")}


def doctor(choice: Choice, findings: Sequence[Finding], overrides: dict[str, Any]) -> None:
    """What was found without running anything."""
    with st.container(border=True, key="doctor", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f":material/stethoscope: **Run doctor** :gray[{summary(findings)}]")
        for number, finding in enumerate(findings):
            _finding(finding, f"finding_{number}")


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
    icon, color = SEVERITY[finding.severity]
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=key):
        if finding.severity == "error":
            st.error(plain(finding.sentence), icon=":material/error:", width="stretch")
        else:
            st.markdown(f":{color}[:material/{icon}:] {plain(finding.sentence)}")
        if finding.overrides:
            st.button(
                "Fix it",
                key=f"{key}_fix",
                type="tertiary",
                icon=":material/build:",
                on_click=set_values,
                args=(finding.overrides,),
            )
        elif finding.page:
            next_step(f"Open {page_named(finding.page).title}", finding.page)
