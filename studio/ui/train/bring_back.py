"""Bringing back what was trained elsewhere: an adapter or a whole model, as a zip, checked and registered by a job."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO

import streamlit as st

from studio.access.actor import Actor, Role
from studio.ui.components import active_jobs
from studio.ui.state import current_studio, reported_errors
from studio.ui.train.unfold import unfold

KINDS = ("import_model",)
ABOUT = "Merged, proven on this project's prompts and registered by a job. Bigger ones: `studio import-model`."


def bring_back(project_id: str, actor: Actor) -> None:
    """The form, and the job while it runs."""
    if not actor.can(Role.EDITOR):
        return
    busy = bool(current_studio().jobs.active(project_id, KINDS))
    with unfold("Bring back a model trained elsewhere", icon="unarchive", key="bring_back", expanded=busy) as opened:
        if opened:
            _form(project_id, actor)
            active_jobs(project_id, KINDS, key="import")


def _form(project_id: str, actor: Actor) -> None:
    bases = {each.id: each.name for each in current_studio().models.all(project_id, ("base", "tuned"))}
    with st.form("bring_back_form", border=False):
        left, right = st.columns(2)
        base_id = left.selectbox("Trained on", list(bases), format_func=bases.__getitem__, key="back_base")
        name = right.text_input("Name", key="back_name", placeholder="triage-axolotl")
        given = st.file_uploader("Adapter or model, as a zip", type="zip", key="back_file")
        st.caption(ABOUT)
        sent = st.form_submit_button("Bring it back", type="primary")
    if sent and given is None:
        st.error("Choose the zip that the other tool's folder was packed into.", icon=":material/error:")
    elif sent and given is not None:
        with reported_errors():
            take_in(actor, project_id, given, str(base_id or ""), name)
            st.rerun()


def take_in(actor: Actor, project_id: str, given: IO[bytes], base_id: str, name: str) -> str:
    """Hand the file over; the id of the job that takes it in."""
    studio = current_studio()
    with tempfile.TemporaryDirectory(dir=studio.settings.root) as folder:
        path = Path(folder) / "model.zip"
        with path.open("wb") as out:
            while block := given.read(1 << 20):
                out.write(block)
        return studio.takeaways.import_tuned(actor, project_id, path, base_id, name).id
