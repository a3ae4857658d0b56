"""Import calls from a file: upload, and what may be in it."""

from __future__ import annotations

import streamlit as st

from storage.tables import Project
from studio.ui.file_drop import file_drop


@st.dialog("Import calls", icon=":material/upload_file:")
def import_dialog(project: Project) -> None:
    """Upload a file; it goes straight to disk and is imported as a job."""
    st.markdown("OpenAI chat JSON lines, one call per line, of any size:")
    st.code('{"messages": [..., {"role": "assistant", ...}]}\n{"request": {...}, "response": {...}}', language=None)
    if file_drop(project.id, key="import_file"):
        st.rerun()
    st.caption("Rows that cannot be read are listed with their line; the rest goes in. Importing twice adds nothing.")
