"""Import calls: drop files or name a dataset, see how they will be read, correct that, and start."""

from __future__ import annotations

import streamlit as st

from storage.tables import Project
from studio.capture.import_uploads import Upload
from studio.errors import NotFound
from studio.ui.capture import import_state as state
from studio.ui.capture.import_files import several_files
from studio.ui.capture.import_hub import hub_form
from studio.ui.capture.import_preview import preview_and_start
from studio.ui.file_drop import file_drop
from studio.ui.formats import plain
from studio.ui.state import current_actor, current_studio, reported_errors

KINDS = "JSON lines, JSON, CSV, TSV, Parquet or Excel of any size; also packed (.gz, .zst, .bz2, .xz) or as a .zip."
SOURCES = {"file": "Files", "hub": "Hugging Face Hub"}


def import_dialog(project: Project) -> None:
    """Open the dialog; it stays open over redraws of the page until it is closed."""
    state.open_for(project.id)
    _dialog(project)


def keep_import_open(project: Project) -> None:
    """On every run of the page: the dialog again, while it is open."""
    if state.is_open(project.id):
        _dialog(project)


@st.dialog("Import calls", width="large", icon=":material/upload_file:", on_dismiss=state.close)
def _dialog(project: Project) -> None:
    uploads = _chosen(project)
    for problem in state.problems():
        st.warning(plain(problem), icon=":material/warning:")
    if not uploads:
        _choose(project)
    elif len(uploads) == 1:
        preview_and_start(project, uploads[0])
    else:
        several_files(project, uploads)


def _chosen(project: Project) -> list[Upload]:
    """The uploads that are still there."""
    found = []
    for upload_id in state.upload_ids(project.id):
        try:
            found.append(current_studio().imports.upload(current_actor(), project.id, upload_id))
        except NotFound as error:
            state.drop_upload(upload_id)
            st.warning(plain(error.message), icon=":material/warning:")
    return found


def _choose(project: Project) -> None:
    source = st.segmented_control(
        "From", list(SOURCES), format_func=SOURCES.__getitem__, default="file", required=True, key="import_from",
        label_visibility="collapsed",
    )  # fmt: skip
    if source == "hub":
        hub_form(project)
        return
    with reported_errors():
        if dropped := file_drop(project.id, key="import_file"):
            state.choose_uploads(project.id, dropped.uploads, dropped.problems)
            st.rerun(scope="fragment")
    st.caption(
        f"{KINDS} What is inside tells what a file is; its name does not matter. You see how it reads before anything "
        "is imported. Importing twice adds nothing."
    )
    with st.expander("What is recognised", icon=":material/fact_check:", key="import_formats"):
        examples = current_studio().imports.examples()
        for name, label in current_studio().imports.formats().items():
            st.markdown(f"**{plain(label)}**")
            st.code(examples[name], language=None, wrap_lines=True)
