"""What the import dialog remembers between redraws: whether it is open, and which upload or dataset it is about."""

from __future__ import annotations

import streamlit as st

OPEN = "import_open"
UPLOAD = "import_upload"
FETCH = "import_fetch"


def open_for(project_id: str) -> None:
    """The dialog is open."""
    st.session_state[OPEN] = project_id


def is_open(project_id: str) -> bool:
    """Whether the dialog is open for this project."""
    return st.session_state.get(OPEN) == project_id


def close() -> None:
    """The dialog is closed, and forgets what it was about."""
    for name in (OPEN, UPLOAD, FETCH):
        st.session_state.pop(name, None)


def choose_upload(project_id: str, upload_id: str) -> None:
    """The dialog is about this upload."""
    st.session_state[UPLOAD] = (project_id, upload_id)


def upload_id(project_id: str) -> str | None:
    """The upload that it is about."""
    owner, chosen = st.session_state.get(UPLOAD) or ("", "")
    return chosen if owner == project_id and isinstance(chosen, str) else None


def forget_upload() -> None:
    """Choose anew."""
    st.session_state.pop(UPLOAD, None)


def fetch_job() -> str | None:
    """The job that fetches a dataset for the dialog."""
    found = st.session_state.get(FETCH)
    return found if isinstance(found, str) else None


def wait_for(job_id: str | None) -> None:
    """The dialog waits for this job; None: for none."""
    st.session_state[FETCH] = job_id
