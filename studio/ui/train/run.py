"""One run's page: its state, its curves and answers as it learns, what it means, and everything to take it apart."""

from __future__ import annotations

import streamlit as st

from storage.tables import TrainingRun
from studio.ui.components import job_panel
from studio.ui.formats import plain
from studio.ui.job_panel import UNFINISHED
from studio.ui.navigation import page_path
from studio.ui.state import current_studio
from studio.ui.train.card import result_card
from studio.ui.train.failing import failure_card
from studio.ui.train.lineage import lineage
from studio.ui.train.live import live
from studio.ui.train.outcome import outcome


def run_view(run_id: str) -> None:
    """One run, as it is now."""
    run = current_studio().training.get(run_id)
    job = current_studio().jobs.get(str(run.job_id))
    st.page_link(page_path("train"), label="All runs", icon=":material/arrow_back:", query_params={"view": "Runs"})
    st.subheader(plain(run.name), anchor=False)
    lineage(run)
    job_panel(job.id, key=f"run_{run.id}")
    if job.status == "failed":
        failure_card(run, current_studio().remedies.failure(run.id))
    outcome(run)
    result_card(run)
    live(run, job.status in UNFINISHED)
    _recipe(run)
    _log(run)


def _recipe(run: TrainingRun) -> None:
    with st.expander("Recipe", icon=":material/receipt:"):
        text = current_studio().training.recipe_text(run)
        st.caption("This file runs as it is with TRL: trl sft --config recipe.yaml, inside the run's folder.")
        st.code(text, language="yaml")
        st.download_button("Download recipe.yaml", text, "recipe.yaml", "text/yaml", icon=":material/download:")


def _log(run: TrainingRun) -> None:
    with st.expander("Log", icon=":material/terminal:"):
        st.code(current_studio().training.log(run) or "Nothing yet.", language=None, height=300)
