"""What the latest imports or addition did, for some minutes after they ended."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from storage.tables import Job, Project
from storage.types import now
from studio.ui.capture import place
from studio.ui.capture.address import CONDITIONS, PLACE, without
from studio.ui.capture.import_result import import_results
from studio.ui.file_drop import MOST_AT_ONCE
from studio.ui.formats import plain
from studio.ui.job_panel import STOPPED, job_panel
from studio.ui.state import current_studio

JUST_NOW = timedelta(minutes=10)


def job_results(project: Project) -> None:
    """The result of the newest such job, and of those that were started with it."""
    shown = [job for job in _newest(project) if job.finished_at and now() - job.finished_at < JUST_NOW]
    for job in shown:
        if job.status in STOPPED:
            job_panel(job.id, key=f"stopped_{job.id}")
        elif job.kind == "add_logs":
            _added(job)
    if imported := [job for job in shown if job.kind == "import" and job.status == "succeeded"]:
        import_results(imported)
        st.button("Show imported calls", key="show_imported", icon=":material/filter_alt:", on_click=_show_imported)


def _newest(project: Project) -> list[Job]:
    """The newest job; of a group of imports, all."""
    jobs = current_studio().jobs.recent(project.id, limit=1, kinds=("import", "add_logs"))
    group = jobs[0].spec.get("group") if jobs else None
    if not group:
        return jobs
    imports = current_studio().jobs.recent(project.id, limit=MOST_AT_ONCE, kinds=("import",))
    return [job for job in reversed(imports) if job.spec.get("group") == group]


def _show_imported() -> None:
    """Imported calls of any time: they are often older than what the list shows at first."""
    rest = without(place.here(), *CONDITIONS, *PLACE, "tab", "call")
    place.go({**rest, "source": ["import"], "range": ["All"]})


def _added(job: Job) -> None:
    excluded = sum((job.result.get("excluded") or {}).values())
    text = (
        f"{plain(job.title)}: **{job.result.get('included', 0):,}** examples in, {excluded:,} left out with a reason."
    )
    st.success(text, icon=":material/check:")
