"""Several files dropped at once: each with what it was recognised as and what is wrong with it; one button for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import streamlit as st

from storage.tables import Project
from storage.types import new_id
from studio.capture.import_preview import Preview
from studio.capture.import_uploads import Upload
from studio.errors import StudioError
from studio.ui.capture import import_state as state
from studio.ui.capture.import_preview import headline, is_ready, preview_form, primary, read_first, size_of
from studio.ui.formats import plain
from studio.ui.state import current_actor, current_studio

WIDTHS = (3, 3.2, 4.6, 1.2, 1.3)
FILES_SHOWN, HEIGHT = 7, 340
"""More files than so many are scrolled."""


@dataclass(frozen=True)
class Listed:
    """One of several files; without a preview it cannot be read."""

    upload: Upload
    preview: Preview | None
    problem: str

    @property
    def ready(self) -> bool:
        """Whether an import would take something of it."""
        return not self.problem


def several_files(project: Project, uploads: list[Upload]) -> None:
    """The list, or the one file of it that somebody looks at."""
    looked_at = next((upload for upload in uploads if upload.id == state.looked_at()), None)
    if looked_at:
        _one(looked_at)
        return
    files = [_listed(upload) for upload in uploads]
    _heading(files)
    height: Literal["content"] | int = HEIGHT if len(files) > FILES_SHOWN else "content"
    with st.container(border=True, height=height, gap="xsmall", key="import_files"):
        for file in files:
            _row(file)
    ready = [file.upload for file in files if file.ready]
    left = len(files) - len(ready)
    if left:
        st.caption(f"{_files(left)} cannot be imported as {'it is' if left == 1 else 'they are'}, and will stay here.")
    if primary(f"Import {_files(len(ready))}" if ready else "Import", "upload", disabled=not ready):
        _start(project, ready)


def _heading(files: list[Listed]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{_files(len(files))}**, each an import of its own", width="content")
        st.space("stretch")
        again = state.forget_uploads
        st.button("Choose others", key="import_again", type="tertiary", icon=":material/undo:", on_click=again)


def _listed(upload: Upload) -> Listed:
    try:
        preview = read_first(upload, state.reading_of(upload.id))
    except StudioError as error:
        return Listed(upload, None, error.message)
    unread = preview.errors[0].reason if preview.errors else "None of the first rows holds a call."
    return Listed(upload, preview, "" if is_ready(preview) else preview.lacks or unread)


def _row(file: Listed) -> None:
    upload, preview = file.upload, file.preview
    name, kind, rows, look, drop = st.columns(WIDTHS, vertical_alignment="center", gap="small")
    name.markdown(f":material/description: {plain(upload.name)}")
    if preview:
        kind.caption(plain(f"{preview.label} · {preview.layout}, {size_of(preview.size)}"))
        look.button("Look", key=f"look_{upload.id}", on_click=state.look_at, args=(upload.id,), width="stretch")
    rows.caption(f":orange[:material/warning: {plain(file.problem)}]" if file.problem else _first_rows(preview))
    drop.button("Remove", key=f"drop_{upload.id}", type="tertiary", on_click=state.drop_upload, args=(upload.id,))


def _first_rows(preview: Preview | None) -> str:
    """What the first rows come to."""
    if preview is None:
        return ""
    told = [f"{len(preview.calls)} calls" if preview.calls else f"{len(preview.feedback)} pieces of feedback"]
    told += [f"{len(preview.errors)} refused"] if preview.errors else []
    return f"First rows: {', '.join(told)}"


def _one(upload: Upload) -> None:
    """One file of them; what is chosen here holds for the import of all."""
    headline(upload, "All files", state.look_at_all)
    if shown := preview_form(upload):
        with st.container(horizontal=True, horizontal_alignment="right"):
            st.button(
                "Read it so",
                type="primary",
                key="import_read_so",
                icon=":material/check:",
                disabled=not shown.ready,
                on_click=state.read_as,
                args=(upload.id, shown.reading),
            )


def _start(project: Project, uploads: list[Upload]) -> None:
    """Start what can be started; what cannot stays in the dialog."""
    group, failed = new_id(), []
    for upload in uploads:
        reading = state.reading_of(upload.id)
        try:
            current_studio().imports.start(
                *(current_actor(), project.id, upload.path, upload.name),
                format=reading.format or None,
                mapping=reading.mapping,
                group=group,
            )
            state.drop_upload(upload.id)
        except StudioError as error:
            failed.append(f"{upload.name}: {error.message}")
    for problem in failed:
        st.error(plain(problem), icon=":material/error:")
    if not failed:
        if not state.upload_ids(project.id):
            state.close()
        st.rerun()


def _files(n: int) -> str:
    return f"{n} file" if n == 1 else f"{n} files"
