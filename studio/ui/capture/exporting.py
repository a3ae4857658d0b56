"""Export what the filters show: links to the download route, which streams; nothing passes through the page."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from storage.tables import Project
from studio.ui.capture import place
from studio.ui.capture.address import CONDITIONS
from studio.ui.capture.parts import part

FORMATS = {
    "jsonl": ("JSON lines", "Whole calls, one JSON object per line"),
    "csv": ("CSV", "One line per call, safe to open in a spreadsheet"),
    "parquet": ("Parquet", "Typed columns for notebooks and data tools"),
}
_LINKS = part("links")


def export_menu(project: Project) -> None:
    """A menu with one link per format."""
    with st.popover("Export", icon=":material/download:", key="export_menu", type="tertiary"):
        _LINKS(key="export_links", data={"links": links(project)})
        st.caption("Downloads every call that the filters show.")


def links(project: Project) -> list[dict[str, str]]:
    """Where each format is downloaded from."""
    query = {name: values for name, values in place.here().items() if name in (*CONDITIONS, "sort")}
    found = []
    for name, (title, told) in FORMATS.items():
        words = urlencode({"project_id": project.id, "format": name, **query}, doseq=True)
        found.append({"href": f"/export/calls?{words}", "title": title, "told": told})
    return found
