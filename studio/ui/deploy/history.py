"""What happened to an alias, newest first, in words; what left a log shows its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from storage.tables import DeploymentEvent
from studio.ui.formats import ago, plain
from studio.ui.train.unfold import unfold

NEWEST = 15
WORDS = {
    "created": ("rocket_launch", "Asked for"),
    "preflight": ("fact_check", "Checking whether it fits"),
    "checked": ("fact_check", "It fits"),
    "exporting": ("inventory_2", "Preparing its weights"),
    "launching": ("play_arrow", "Starting its server"),
    "launched": ("play_arrow", "Its server was started"),
    "gating": ("rule", "Proving that its weights answer"),
    "ready": ("check", "Proven and ready"),
    "ready again": ("check", "Ready again"),
    "failed": ("error", "Failed"),
    "gates failed": ("gpp_bad", "Its gates are red"),
    "gates overridden": ("gavel", "Its red gates were overridden"),
    "crashed": ("error", "Its server crashed"),
    "suspended": ("pause", "Stopped with the studio"),
    "stop asked for": ("stop", "Asked to stop"),
    "start asked for": ("play_arrow", "Asked to start again"),
    "makes room": ("pause", "Makes room"),
    "comes back": ("play_arrow", "Comes back"),
    "stopping": ("stop", "Stopping"),
    "stopped": ("stop", "Stopped"),
    "released": ("swap_horiz", "Traffic moved"),
    "rules changed": ("rule", "Rules changed"),
    "guardrail": ("shield", "The guardrail took its traffic"),
    "guardrail cannot act": ("shield", "The guardrail sees trouble and cannot act"),
}


def history(events: Sequence[DeploymentEvent], names: Mapping[str, str], key: str = "") -> None:
    """A line per event, the newest first; `names` tells which revision it was."""
    if not events:
        st.caption("Nothing happened yet.")
    _lines(events[:NEWEST], names, key)
    if len(events) > NEWEST:
        with unfold(f"{len(events) - NEWEST} earlier", icon="history", key=f"earlier_{key}") as opened:
            if opened:
                _lines(events[NEWEST:], names, key)


def _lines(events: Sequence[DeploymentEvent], names: Mapping[str, str], key: str) -> None:
    with st.container(gap="xsmall"):
        for event in events:
            st.markdown(event_line(event, names))
            if log := event.detail.get("log"):
                with unfold("End of its log", icon="terminal", key=f"event_log_{key}{event.id}") as opened:
                    if opened:
                        st.code(str(log), language=None, wrap_lines=True)


def event_line(event: DeploymentEvent, names: Mapping[str, str]) -> str:
    """An icon, of which revision, what, why, who and when."""
    icon, what = WORDS.get(event.what, ("circle", event.what.capitalize()))
    whose = names.get(event.revision_id or "", "").capitalize()
    why = event.detail.get("reason") or event.detail.get("why") or ""
    told = " · ".join(plain(str(part)) for part in (whose, what, why) if part)
    return f":material/{icon}: {told} :gray[· {plain(event.who)}, {ago(event.at)}]"
