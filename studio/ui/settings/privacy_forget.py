"""Reading a pseudonym again, and forgetting a user, with what earlier forgetting came to."""

from __future__ import annotations

from typing import Any

import streamlit as st

from storage.tables import Job, Project
from studio.ui.components import job_panel
from studio.ui.formats import ago, plain
from studio.ui.state import current_actor, current_studio, reported_errors

WHAT = (
    "Deletes the user's calls in the log and the journal with feedback, tags and shadows' answers, the examples made "
    "of them, their labels here and on the labeling platform, evaluated answers, and their rows in frozen versions. "
    "Uploads that nobody imported go too. Models that learned from them are listed, not deleted."
)
TOLD = {
    "calls": "calls",
    "feedback": "feedback by the user on other calls",
    "held": "feedback that waited for its call",
    "journal": "records in kept journal files",
    "damaged": "unreadable journal pieces",
    "uploads": "uploads",
    "pseudonyms": "pseudonyms",
    "examples": "examples",
    "label_items": "labeling items",
    "platform_records": "records on the labeling platform",
    "evaluation_outputs": "evaluated answers",
}


def reveal_section(project: Project) -> None:
    """One value by its mark; told to admins and noted in the audit trail."""
    with st.container(border=True, gap="small", width="stretch"):
        st.markdown("**Read a pseudonym**")
        st.caption("Shows the value behind a mark. The audit trail keeps who looked.")
        with st.form("reveal_form", border=False):
            token = st.text_input("Mark", placeholder="[email:kfzpqlmvbnra]", key="reveal_token")
            asked = st.form_submit_button("Reveal", icon=":material/visibility:")
        if asked:
            with reported_errors():
                st.code(current_studio().privacy.reveal(current_actor(), project.id, token), language=None)


def forget_section(project: Project) -> None:
    """Start forgetting, and see how it goes and went."""
    with st.container(border=True, gap="small", width="stretch"):
        st.markdown("**Forget a user**")
        st.caption("Everything that was recorded of one user of your product, by the id your calls give them.")
        with st.form("forget_form", border=False):
            user = st.text_input("User id", placeholder="customer-4711", key="forget_user_id")
            asked = st.form_submit_button("Forget user", icon=":material/person_remove:")
        if asked and user.strip():
            forget_dialog(project, user.strip())
        for job in current_studio().jobs.recent(project.id, 3, ("forget_user",)):
            if job.status == "succeeded":
                _report(job)
            else:
                job_panel(job.id, key=f"forget_{job.id}")


@st.dialog("Forget this user?", icon=":material/person_remove:")
def forget_dialog(project: Project, user: str) -> None:
    """Asks once more: there is no way back."""
    st.markdown(f"**{plain(user)}** in {plain(project.name)}")
    st.markdown(WHAT)
    st.markdown("This cannot be undone. Backups are not reached.")
    if st.button("Forget for good", type="primary", key="forget_now"):
        with reported_errors():
            current_studio().privacy.forget_user(current_actor(), project.id, user)
            st.rerun()


def _report(job: Job) -> None:
    found: dict[str, Any] = job.result or {}
    counts = [f"{found[name]:,} {label}" for name, label in TOLD.items() if found.get(name)]
    with st.container(border=True, gap=None, key=f"forgot_{job.id}"):
        st.markdown(f":material/check: **{plain(str(job.spec.get('user', '')))}**, {ago(job.finished_at)}")
        st.caption(plain(", ".join(counts) + " deleted." if counts else "Nothing was recorded of this user."))
        if versions := found.get("versions"):
            st.caption(f"{len(versions)} frozen versions were written again without their rows.")
        if models := found.get("models_that_learned"):
            names = ", ".join(each["name"] for each in models)
            st.caption(f":orange[:material/warning:] These models learned from them: {plain(names)}.")
        if left := found.get("journal_files_left"):
            st.caption(f"{left} journal files wait to be read; what they hold of this user is dropped then.")
