"""What the next labels would bring: asked for with one click, told with its interval, or that it cannot be told."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import Rehearsal
from studio.access.actor import Actor, Role
from studio.ui.charts import line_chart
from studio.ui.components import active_jobs, next_step
from studio.ui.formats import ago, plain
from studio.ui.state import current_studio, reported_errors
from studio.ui.train.choice import Choice
from studio.ui.train.unfold import unfold

KINDS = ("label_value",)
ABOUT = "Learns from a quarter, a half and all of the rows, quickly, and tells what the next hundred would bring."


def label_worth(actor: Actor, choice: Choice) -> None:
    """The card, its button, and the job while it runs."""
    found = newest(choice.version_id)
    known = bool(found or current_studio().jobs.active(choice.project_id, KINDS))
    with unfold("What would more labels bring?", icon="query_stats", key="label_worth", expanded=known) as opened:
        if not opened:
            return
        if found:
            _told(found)
        if not active_jobs(choice.project_id, KINDS, key="worth") and actor.can(Role.EDITOR):
            _button(actor, choice, "Ask again" if found else "Find out")


def newest(version_id: str) -> Rehearsal | None:
    """The newest finished answer for this version."""
    return next((each for each in current_studio().rehearsals.label_values(version_id) if each.finished_at), None)


def _button(actor: Actor, choice: Choice, label: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        clicked = st.button(label, key="ask_worth", icon=":material/query_stats:")
        st.caption(ABOUT)
    if clicked:
        with reported_errors():
            current_studio().rehearsals.label_value(actor, choice.version_id, choice.base_id(actor))
            st.rerun()


def _told(found: Rehearsal) -> None:
    result = found.result
    st.markdown(f"**{plain(str(result.get('sentence', '')))}**")
    if result.get("hidden"):
        return
    st.caption(f"{plain(str(result.get('label', ''))).capitalize()}, {result.get('held_out', 0):,} held out. "
               f"Found out {ago(found.finished_at)}.")  # fmt: skip
    table = curve(result)
    if not table.empty:
        names = list(table.columns[1:])
        line_chart(
            table, x="Rows", y=names, key="worth_curve", height=180, alt="Error by number of rows", x_name="Rows"
        )
    next_step("Get more labels on Label", "label")


def curve(result: dict[str, Any]) -> pd.DataFrame:
    """The fitted curve and the measured points, by rows."""
    name = "Error" if result.get("metric") == "exact" else "Loss"
    fitted = pd.Series(dict(result.get("curve") or []), name=f"{name}, fitted", dtype=float)
    points = {each["rows"]: each["error"] for each in result.get("points") or []}
    measured = pd.Series(points, name=f"{name}, measured", dtype=float)
    return pd.concat([fitted, measured], axis=1).sort_index().rename_axis("Rows").reset_index()
