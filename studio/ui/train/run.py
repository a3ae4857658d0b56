"""One run's page: its state, its curves and answers as it learns, what it means, and everything to take it apart."""

from __future__ import annotations

import streamlit as st

from studio.ui.components import job_panel
from studio.ui.formats import plain
from studio.ui.job_panel import UNFINISHED
from studio.ui.navigation import page_path
from studio.ui.state import current_studio
from studio.ui.train.about_run import run_actions, shown_note
from studio.ui.train.card import result_card
from studio.ui.train.failing import failure_card
from studio.ui.train.lineage import lineage
from studio.ui.train.live import live
from studio.ui.train.outcome import outcome
from studio.ui.train.take_away import log_part, recipe_part


def run_view(run_id: str) -> None:
    """One run, as it is now."""
    run = current_studio().training.get(run_id)
    job = current_studio().jobs.get(str(run.job_id))
    st.page_link(page_path("train"), label="All runs", icon=":material/arrow_back:", query_params={"view": "Runs"})
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader(plain(run.name), anchor=False, width="stretch")
        run_actions(run)
    lineage(run)
    shown_note(run)
    job_panel(job.id, key=f"run_{run.id}")
    if job.status == "failed":
        failure_card(run, current_studio().remedies.failure(run.id))
    result_card(run)
    outcome(run)
    live(run, job.status in UNFINISHED)
    recipe_part(run)
    log_part(run)
