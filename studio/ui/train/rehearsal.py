"""Looking at one batch before the run: started here, shown token by token, and what it measured."""

from __future__ import annotations

from typing import Any

import streamlit as st

from storage.tables import Rehearsal
from studio.access.actor import Actor, Role
from studio.train.doctor import Finding
from studio.train.plan import Plan
from studio.ui.components import active_jobs, job_panel
from studio.ui.state import current_studio, reported_errors
from studio.ui.train.choice import Choice
from studio.ui.train.tokens import learned_stretches, token_view

KINDS = ("rehearse",)
SHOWN_PX = 440


def rehearsed(choice: Choice, plan: Plan) -> Rehearsal | None:
    """What was found when this very batch was looked at; None before."""
    if choice.base_kind != "model":
        return None
    return current_studio().rehearsals.find(choice.version_id, choice.base_key, choice.method, plan.named)


def findings_of(rehearsal: Rehearsal) -> list[Finding]:
    """What the rehearsal found, which includes what is known without one."""
    return [_finding(each) for each in rehearsal.result.get("findings", [])]


def look_button(actor: Actor, choice: Choice, overrides: dict[str, Any], again: bool) -> None:
    """Starts the rehearsal as a job."""
    if not actor.can(Role.EDITOR):
        return
    label = "Look again" if again else "Look at one batch"
    help_text = "Loads the base, shows what the model would see token by token, and times a few steps."
    if st.button(label, key="look", icon=":material/visibility:", help=help_text):
        with reported_errors():
            chosen = (choice.version_id, choice.base_id(actor), choice.method, choice.preset)
            current_studio().rehearsals.start(actor, *chosen, overrides)
            st.rerun()


def under_way(project_id: str) -> None:
    """The panels of rehearsals that run or wait, with their cancel buttons; and of the newest one if it failed."""
    newest = current_studio().jobs.recent(project_id, limit=1, kinds=KINDS)
    if not active_jobs(project_id, KINDS, key="rehearsal") and newest and newest[0].status == "failed":
        job_panel(newest[0].id, key="rehearsal_failed")


def batch_view(rehearsal: Rehearsal) -> None:
    """The batch as the model sees it, with its counts and what was measured."""
    result = rehearsal.result
    rows = result.get("rows") or []
    if not rows:
        return
    st.caption(measured(result))
    with st.expander("What the model sees", icon=":material/visibility:", expanded=True, key="batch"):
        with st.container(height=SHOWN_PX, border=False):
            token_view(rows)
        learned = "\n".join(text for row in rows for text in learned_stretches(row))
        with st.popover("Only what is learned, as text", icon=":material/notes:"):
            st.code(learned or "Nothing.", language=None, wrap_lines=True)


def measured(result: dict[str, Any]) -> str:
    """Counts, speed and memory in one line."""
    counts = result.get("counts") or {}
    memory = sum((result.get("memory_mb") or {}).values())
    parts = [
        f"{counts.get('rows', 0):,} rows looked at",
        f"{counts['truncated']:,} cut" if counts.get("truncated") else "",
        f"{counts['fully_masked']:,} teach nothing" if counts.get("fully_masked") else "",
        f"{result['step_s']:.2g} s a micro-step" if result.get("step_s") else "",
        f"{result['tokens_per_second']:,.0f} tokens/s measured" if result.get("tokens_per_second") else "",
        f"{memory:,.0f} MB counted" if memory else "",
        f"on {result['device']}" if result.get("device") else "",
    ]
    return " · ".join(part for part in parts if part)


def _finding(found: dict[str, Any]) -> Finding:
    return Finding(
        str(found.get("severity", "info")),
        str(found.get("text", "")),
        str(found.get("fix") or ""),
        dict(found.get("overrides") or {}),
        str(found.get("page") or ""),
    )
