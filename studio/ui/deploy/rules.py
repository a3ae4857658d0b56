"""The rules of an alias: the guardrail, test prompts, how long callers and predecessors wait, who answers last."""

from __future__ import annotations

from typing import Any

import streamlit as st

from storage.tables import Deployment
from studio.deploy.rules import Rules, rules_of
from studio.ui.deploy.dialogs import page_dialog
from studio.ui.deploy.smoke import smoke_prompts
from studio.ui.state import current_actor, current_studio, reported_errors

GUARDRAIL = (
    "A revision that is new to the traffic loses it again by itself when it fails more calls, or answers more slowly, "
    "than the route it replaces, and by more than chance."
)


@page_dialog("Rules", width="large", icon=":material/rule:")
def rules_dialog(deployment: Deployment) -> None:
    """Three tabs; each saves what it shows."""
    fresh = current_studio().deployments.get(deployment.id)
    guardrail, smoke, waiting = st.tabs(["Guardrail", "Test prompts", "Waiting"], key="rules_tab")
    rules = rules_of(fresh)
    with guardrail:
        _guardrail(fresh, rules)
    with smoke:
        smoke_prompts(fresh)
    with waiting:
        _limits(fresh, rules)


def _guardrail(deployment: Deployment, rules: Rules) -> None:
    now = rules.guardrail
    st.caption(GUARDRAIL)
    with st.form("guardrail_form", border=False):
        is_on = st.toggle("Roll back by itself", now.on)
        calls = st.number_input(
            "Calls before it says anything", 10, 1_000_000, now.calls, help="Since the release, at each of the two."
        )
        alpha = st.number_input(
            "How unlikely by chance",
            0.00001,
            0.05,
            now.alpha,
            format="%g",
            help="0.001: of a thousand healthy revisions it takes about one back for nothing.",
        )
        factor = st.number_input(
            "Slow is longer than", 1.0, 100.0, now.latency_factor, 0.1, format="%g",
            help="Times the live route's 95th percentile.",
        )  # fmt: skip
        if st.form_submit_button("Save", type="primary", key="save_guardrail"):
            given = {"on": is_on, "calls": calls, "alpha": alpha, "latency_factor": factor}
            save_rules(deployment, {"guardrail": given})


def _limits(deployment: Deployment, rules: Rules) -> None:
    with st.form("limits_form", border=False):
        timeout = st.number_input(
            "Seconds for the first byte",
            0.1,
            3600.0,
            rules.timeout_s,
            placeholder="The gateway's own",
            help="A route that is silent for longer counts as failed, and the next one answers.",
        )
        warm = st.number_input(
            "Hours a predecessor keeps running",
            0.0,
            None,
            rules.keep_warm_hours,
            placeholder="For ever",
            help="While it runs, Undo is instant. Empty keeps it for ever.",
        )
        fallback = st.toggle(
            "The provider's model answers when no revision can",
            rules.fallback,
            help="Also without a share of its own. Off: calls go to the provider only while it has a share.",
        )
        if st.form_submit_button("Save", type="primary", key="save_limits"):
            save_rules(deployment, {"timeout_s": timeout, "keep_warm_hours": warm, "fallback": fallback})


def save_rules(deployment: Deployment, changed: dict[str, Any]) -> None:
    """Save these rules and keep the others."""
    with reported_errors():
        current_studio().deployments.set_rules(current_actor(), deployment.id, {**(deployment.rules or {}), **changed})
        st.toast("Saved", icon=":material/check:")
        st.rerun(scope="fragment")
