"""What happened to an alias, newest first, in words; what left a log shows its end."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from storage.tables import DeploymentEvent
from studio.ui.formats import ago, plain
from studio.ui.train.unfold import unfold

ICONS = {
    "released": "swap_horiz",
    "ready": "check",
    "ready again": "check",
    "failed": "error",
    "gates failed": "gpp_bad",
    "crashed": "error",
    "gates overridden": "gavel",
    "guardrail": "shield",
    "rules changed": "rule",
}


def history(events: Sequence[DeploymentEvent], names: dict[str, str] | None = None, key: str = "") -> None:
    """A line per event; `names` tells which revision it was."""
    with st.container(gap="xsmall"):
        if not events:
            st.caption("Nothing happened yet.")
        for event in events:
            st.markdown(event_line(event, names or {}))
            if log := event.detail.get("log"):
                with unfold("End of its log", icon="terminal", key=f"event_log_{key}{event.id}") as opened:
                    if opened:
                        st.code(str(log), language=None, wrap_lines=True)


def event_line(event: DeploymentEvent, names: dict[str, str]) -> str:
    """An icon, what, of which revision, why, who and when."""
    what = event.what.capitalize()
    whose = names.get(event.revision_id or "", "")
    why = event.detail.get("reason") or event.detail.get("why") or ""
    told = " · ".join(plain(str(part)) for part in (what, whose, why) if part)
    return f":material/{ICONS.get(event.what, 'circle')}: {told} :gray[· {plain(event.who)}, {ago(event.at)}]"
