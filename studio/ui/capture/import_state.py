"""What the import dialog remembers between redraws: whether it is open, what it is about, what was corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

OPEN = "import_open"
UPLOADS = "import_uploads"
PROBLEMS = "import_problems"
LOOKED_AT = "import_looked_at"
READINGS = "import_readings"
FETCH = "import_fetch"


@dataclass(frozen=True)
class Reading:
    """How a file is read: its format, and what its columns are; empty: as it is recognised."""

    format: str = ""
    mapping: dict[str, list[str]] | None = None


def open_for(project_id: str) -> None:
    """The dialog is open."""
    st.session_state[OPEN] = project_id


def is_open(project_id: str) -> bool:
    """Whether the dialog is open for this project."""
    return st.session_state.get(OPEN) == project_id


def close() -> None:
    """The dialog is closed, and forgets what it was about."""
    forget_uploads()
    for name in (OPEN, FETCH):
        st.session_state.pop(name, None)


def choose_uploads(project_id: str, upload_ids: Sequence[str], problems: Sequence[str] = ()) -> None:
    """The dialog is about these uploads; the problems are of files that did not arrive."""
    forget_uploads()
    st.session_state[UPLOADS] = (project_id, list(upload_ids))
    st.session_state[PROBLEMS] = list(problems)


def upload_ids(project_id: str) -> list[str]:
    """The uploads that it is about."""
    owner, chosen = st.session_state.get(UPLOADS) or ("", [])
    return list(chosen) if owner == project_id else []


def problems() -> list[str]:
    """What is to be said of files that did not arrive."""
    return list(st.session_state.get(PROBLEMS) or ())


def forget_uploads() -> None:
    """Choose anew."""
    for name in (UPLOADS, PROBLEMS, LOOKED_AT, READINGS):
        st.session_state.pop(name, None)


def drop_upload(upload_id: str) -> None:
    """This upload is no longer one of them."""
    owner, chosen = st.session_state.get(UPLOADS) or ("", [])
    st.session_state[UPLOADS] = (owner, [each for each in chosen if each != upload_id])


def look_at(upload_id: str) -> None:
    """Of several uploads this one is shown."""
    st.session_state[LOOKED_AT] = upload_id


def look_at_all() -> None:
    """All of several uploads are shown."""
    st.session_state.pop(LOOKED_AT, None)


def looked_at() -> str:
    """The one of several uploads that is shown."""
    return str(st.session_state.get(LOOKED_AT) or "")


def read_as(upload_id: str, reading: Reading) -> None:
    """This upload will be read so; all of them are shown again."""
    look_at_all()
    st.session_state[READINGS] = {**(st.session_state.get(READINGS) or {}), upload_id: reading}


def reading_of(upload_id: str) -> Reading:
    """How this upload will be read."""
    found = (st.session_state.get(READINGS) or {}).get(upload_id)
    return found if isinstance(found, Reading) else Reading()


def fetch_job() -> str | None:
    """The job that fetches a dataset for the dialog."""
    found = st.session_state.get(FETCH)
    return found if isinstance(found, str) else None


def wait_for(job_id: str | None) -> None:
    """The dialog waits for this job; None: for none."""
    st.session_state[FETCH] = job_id
