"""The Train button: what was chosen becomes a run, and the page shows it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from studio.access.actor import Actor
from studio.ui.state import current_studio, reported_errors
from studio.ui.train.choice import Choice, Start
from studio.ui.train.tweak import forget_parent, parent_id


def train(actor: Actor, choice: Choice, start: Start, overrides: dict[str, Any]) -> None:
    """Put the run in the queue and go to its page."""
    with reported_errors():
        run = current_studio().training.start(
            actor,
            choice.version_id,
            choice.base_id(actor),
            method=choice.method,
            preset=choice.preset,
            overrides=overrides,
            then=start.then,
            runner=start.runner,
            not_before=start.not_before,
            parent_run_id=parent_id(),
        )
        forget_parent()
        st.query_params["run"] = run.id
        st.rerun()
