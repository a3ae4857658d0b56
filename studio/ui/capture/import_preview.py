"""How a file will be imported: what it was recognised as, its columns, its first calls, its errors; and the start."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import Project
from studio.capture.import_preview import PartPreview, Preview
from studio.capture.import_uploads import Upload
from studio.capture.importers.catalog import COLUMNS
from studio.capture.importers.columns import lacks
from studio.errors import StudioError
from studio.ui.capture import import_state as state
from studio.ui.capture.import_mapping import mapping_editor
from studio.ui.capture.import_result import refused_rows
from studio.ui.capture.import_state import Reading
from studio.ui.formats import plain
from studio.ui.state import current_actor, current_studio, reported_errors

EACH = ""
"""Each file of a bundle as it is recognised."""
ROW_HEIGHT = 34
MOST_SHOWN, FEW_SHOWN = 8, 4


@dataclass(frozen=True)
class Shown:
    """A file as it is read with what is chosen on the screen."""

    preview: Preview
    reading: Reading

    @property
    def ready(self) -> bool:
        """Whether an import would take something of its first rows."""
        return is_ready(self.preview)


def is_ready(preview: Preview) -> bool:
    """Whether an import would take something of the first rows."""
    return not preview.lacks and bool(preview.calls or preview.feedback)


def preview_and_start(project: Project, upload: Upload) -> None:
    """The preview of the only file with what can be changed about it, and the button that starts the import."""
    headline(upload, "Choose another", state.forget_uploads)
    shown = preview_form(upload)
    if shown is None or not primary("Import", "upload", disabled=not shown.ready):
        return
    with reported_errors():
        current_studio().imports.start(
            *(current_actor(), project.id, upload.path, upload.name),
            format=shown.reading.format or None,
            mapping=shown.reading.mapping,
        )
        state.close()
        st.rerun()


def preview_form(upload: Upload) -> Shown | None:
    """How the file reads, and how else it could be read; None where it cannot be read at all."""
    before = state.reading_of(upload.id)
    try:
        preview = read_first(upload, before)
        format = _format(preview, upload, before.format)
        if format not in (EACH, preview.format):
            preview = read_first(upload, Reading(format))
        mapping = None
        if preview.format == COLUMNS and format:
            mapping = mapping_editor(preview, key=f"import_map_{upload.id}")
            preview = read_first(upload, Reading(COLUMNS, mapping)) if mapping else _of_nothing(preview)
    except StudioError as error:
        st.error(plain(error.message), icon=":material/error:")
        return None
    _parts(preview.parts)
    _looks(preview)
    if not preview.lacks and not is_ready(preview):
        st.warning("None of the first rows can be imported as this. Change what the file is read as.")
    return Shown(preview, Reading(format, mapping))


def _of_nothing(preview: Preview) -> Preview:
    """The preview where every column is left out."""
    return replace(preview, calls=[], feedback=[], errors=[], mapping={}, lacks=lacks({}))


def headline(upload: Upload, back: str, go_back: Callable[[], None]) -> None:
    """The file's name, and the way back."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":material/description: **{plain(upload.name)}**", width="content")
        st.space("stretch")
        st.button(back, key="import_again", type="tertiary", icon=":material/undo:", on_click=go_back)


def primary(name: str, icon: str, *, disabled: bool) -> bool:
    """The dialog's main button, at its end; whether it was pressed."""
    with st.container(horizontal=True, horizontal_alignment="right"):
        return st.button(name, type="primary", key="import_now", icon=f":material/{icon}:", disabled=disabled)


def _format(preview: Preview, upload: Upload, before: str) -> str:
    """What the file is read as; `EACH`, for archives, leaves every file what it is."""
    labels = current_studio().imports.formats()
    labels = {EACH: "Each file as what it is", **labels} if preview.parts else labels
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen: str = st.selectbox(
            "Recognised as",
            list(labels),
            index=list(labels).index(before or (EACH if preview.parts else preview.format)),
            format_func=labels.__getitem__,
            key=f"import_format_{upload.id}",
            help="By what its rows hold. Change it where that is not what they are.",
            width=320,
        )
        told = [f"{preview.layout}, {size_of(preview.size)}", *preview.notes]
        st.caption(plain(" · ".join(note.rstrip(".") for note in told)))
    return chosen


def _parts(parts: list[PartPreview]) -> None:
    if not parts:
        return
    shown = [f"{part.name} ({part.label})" for part in parts if not part.problem]
    st.caption(plain(f"{len(parts)} files: {', '.join(shown[:12])}{', …' if len(shown) > 12 else ''}"))
    for part in [part for part in parts if part.problem][:5]:
        st.warning(plain(f"{part.name}: {part.problem}"), icon=":material/warning:")


def _looks(preview: Preview) -> None:
    if preview.lacks:
        st.info(plain(preview.lacks), icon=":material/edit:")
        return
    names = [f"Calls ({_first(preview.calls)})"]
    names += [f"Refused rows ({len(preview.errors)})"] if preview.errors else []
    names += [f"Feedback ({len(preview.feedback)})"] if preview.feedback else []
    names += ["As in the file"]
    for name, tab in zip(names, st.tabs(names), strict=True):
        with tab:
            _tab(name, preview)


def _tab(name: str, preview: Preview) -> None:
    if name.startswith("Calls"):
        _calls(preview)
    elif name.startswith("Refused"):
        refused_rows([{"line": error.line, "field": error.field, "reason": error.reason} for error in preview.errors])
    elif name.startswith("Feedback"):
        _table([{key: said.get(key) for key in ("kind", "name", "value", "text")} for said in preview.feedback])
    else:
        _table(preview.rows)


def _calls(preview: Preview) -> None:
    few = bool(preview.mapping)
    if not preview.calls:
        why = preview.skipped[0].reason if preview.skipped else "Only feedback on calls that are in the log already."
        st.caption(plain(why if preview.skipped or preview.feedback else "None of the first rows holds a call."))
        return
    _table([_line(call) for call in preview.calls], FEW_SHOWN if few else MOST_SHOWN)
    st.caption("The first rows, as they will look. Nothing is imported yet.")


def _line(call: dict[str, Any]) -> dict[str, Any]:
    system = next((message.get("content") for message in call["messages"] if message.get("role") == "system"), "")
    shown = {
        "prompt": call["prompt_text"],
        "reply": call["reply_text"] or call["error"] or "",
        "model": call["model"],
        "time": call["created_at"].strftime("%Y-%m-%d %H:%M"),
        "system": system if isinstance(system, str) else json.dumps(system),
        "tags": ", ".join(f"{name}={value}" for name, value in call["tags"].items()),
        "latency": f"{call['latency_ms']:,.0f} ms" if call["latency_ms"] else "",
        "cost": f"${call['cost_usd']:.5f}" if call["cost_usd"] else "",
    }
    return {name: value[:300] for name, value in shown.items()}


def _table(rows: list[dict[str, Any]], shown: int = MOST_SHOWN) -> None:
    frame = pd.DataFrame(rows)
    frame = frame.loc[:, [name for name in frame if frame[name].map(lambda value: value not in ("", None)).any()]]
    st.dataframe(frame, hide_index=True, row_height=ROW_HEIGHT, height=min(len(rows), shown) * ROW_HEIGHT + 38)


def read_first(upload: Upload, reading: Reading) -> Preview:
    """How the first rows read. Raises InvalidInput."""
    return _preview(upload, reading.format, reading.mapping)


@st.cache_data(ttl=600, max_entries=200, show_spinner="Reading the first rows", hash_funcs={Upload: lambda one: one.id})
def _preview(upload: Upload, format: str, mapping: dict[str, list[str]] | None) -> Preview:
    return current_studio().imports.preview(upload.path, mapping, format=format, name=upload.name)


def _first(calls: list[Any]) -> str:
    return f"first {len(calls)}" if len(calls) > 1 else str(len(calls))


def size_of(size: int) -> str:
    """Bytes as people read them."""
    return f"{size:,} bytes" if size < 10_000 else f"{size / 1e3:,.0f} kB" if size < 1e7 else f"{size / 1e6:,.0f} MB"
