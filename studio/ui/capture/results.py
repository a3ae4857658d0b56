"""What the latest import or addition did, for some minutes after it ended."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from storage.tables import Job, Project
from storage.types import now
from studio.ui.capture.import_result import import_result
from studio.ui.formats import plain
from studio.ui.state import current_studio

JUST_NOW = timedelta(minutes=10)


def job_results(project: Project) -> None:
    """The result of the newest such job."""
    for job in current_studio().jobs.recent(project.id, limit=1, kinds=("import", "add_logs")):
        if job.status == "succeeded" and job.finished_at and now() - job.finished_at < JUST_NOW:
            (import_result if job.kind == "import" else _added)(job)


def _added(job: Job) -> None:
    excluded = sum((job.result.get("excluded") or {}).values())
    text = (
        f"{plain(job.title)}: **{job.result.get('included', 0):,}** examples in, {excluded:,} left out with a reason."
    )
    st.success(text, icon=":material/check:")
