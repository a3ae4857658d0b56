"""The fields of a privacy policy."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import Project
from studio.capture.privacy.detectors import DETECTORS, Detector
from studio.capture.privacy.policy import Policy

RECORDS = {"full": "Everything", "metadata": "Facts only", "off": "Nothing"}
MEANING = {
    "full": "Prompts and answers are recorded, without what is taken out below.",
    "metadata": "Model, tokens, cost, times, status and tags are recorded; no text. Nothing can be learned from it.",
    "off": "Calls are answered and not recorded at all, and their feedback neither.",
}
DAYS = (0, 7, 14, 30, 60, 90, 180, 365, 730)
PATTERN_HELP = "A regular expression for the value itself, such as KD-\\d{6}. It is checked when you save."


def policy_fields(project: Project, saved: Policy, disabled: bool) -> Policy:
    """The policy as it stands on the screen."""
    key = f"privacy_{project.id}"
    with st.container(border=True, gap="small"):
        st.markdown("**Record**")
        record = st.segmented_control(
            "Record", list(RECORDS), format_func=RECORDS.__getitem__, default=saved.record, required=True,
            key=f"{key}_record", label_visibility="collapsed", disabled=disabled,
        )  # fmt: skip
        st.caption(MEANING[record or "full"])
    with st.container(border=True, gap="small"):
        st.markdown("**Personal data that is taken out**")
        detectors = _detectors(saved, key, disabled)
        patterns = _patterns(saved, key, disabled)
        pseudonyms = st.toggle(
            "Let admins read values again",
            saved.pseudonyms,
            key=f"{key}_pseudonyms",
            disabled=disabled,
            help="A mark such as [email:kfzpqlmvbnra] stands for the same value everywhere in this project. The value "
            "itself is kept encrypted. Without this, texts say [email] and the value is gone for good.",
        )
        st.caption("Names of people are not found: no pattern can tell them. Nor is text inside pictures.")
    with st.container(border=True, gap="small"):
        days = _days(saved, key, disabled)
    return Policy(record or "full", detectors, patterns, pseudonyms, days)


def _detectors(saved: Policy, key: str, disabled: bool) -> tuple[str, ...]:
    chosen = []
    for column, some in zip(st.columns(2, gap="medium"), _halves(), strict=True):
        with column:
            chosen += [each.name for each in some if _toggle(each, saved, key, disabled)]
    return tuple(name for name in DETECTORS if name in chosen)


def _toggle(each: Detector, saved: Policy, key: str, disabled: bool) -> bool:
    with st.container(gap=None):
        on = st.toggle(
            each.label, each.name in saved.detectors, key=f"{key}_{each.name}", disabled=disabled, help=each.note
        )
        st.caption(f"`{each.example}`")
    return on


def _halves() -> tuple[list[Detector], list[Detector]]:
    every = list(DETECTORS.values())
    middle = (len(every) + 1) // 2
    return every[:middle], every[middle:]


def _patterns(saved: Policy, key: str, disabled: bool) -> tuple[tuple[str, str], ...]:
    st.markdown("**Your own patterns**", help=PATTERN_HELP)
    columns: Any = {
        "name": st.column_config.TextColumn("Name", width="small", max_chars=40),
        "pattern": st.column_config.TextColumn("Regular expression", width="large", max_chars=300),
    }
    edited = st.data_editor(
        pd.DataFrame(list(saved.patterns), columns=["name", "pattern"], dtype=str),
        num_rows="fixed" if disabled else "dynamic",
        hide_index=True,
        column_config=columns,
        disabled=disabled,
        key=f"{key}_patterns_{len(saved.patterns)}",
        width="stretch",
    )
    rows = [(str(row["name"] or ""), str(row["pattern"] or "")) for row in edited.fillna("").to_dict("records")]
    return tuple(row for row in rows if any(row))


def _days(saved: Policy, key: str, disabled: bool) -> int | None:
    kept = saved.retention_days or 0
    options = DAYS if kept in DAYS else (*DAYS, kept)
    days: int = st.selectbox(
        "Keep calls for",
        options,
        options.index(kept),
        format_func=lambda value: f"{value:,} days" if value else "ever",
        key=f"{key}_days",
        disabled=disabled,
    )
    st.caption(
        "Older calls are deleted with their feedback and uploads. Examples that people put into datasets stay, "
        "as do frozen versions, until you delete them or forget their user."
    )
    return days or None
