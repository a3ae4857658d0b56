"""Guidelines: written by editors in Markdown, shown without pictures, because a picture calls another host."""

from __future__ import annotations

import re

import streamlit as st

from storage.tables import LabelTask
from studio.ui.formats import ago, plain
from studio.ui.state import current_actor, current_studio, reported_errors

PICTURE = re.compile(r"!\[([^\]]*)\](\([^)]*\)|\[[^\]]*\])?")
HEIGHT = 320


def without_pictures(text: str) -> str:
    """Markdown with every picture replaced by its words."""
    return PICTURE.sub(lambda found: f"*(picture: {plain(found[1] or 'without words')})*", text)


def show_guidelines(text: str) -> None:
    """Guidelines as people read them."""
    st.markdown(without_pictures(text) or "*No guidelines yet.*")


def write_guidelines(start: str, key: str) -> str:
    """A text area beside what it will look like."""
    write, read = st.columns(2)
    with write:
        text = st.text_area("Guidelines (Markdown)", start, height=HEIGHT, key=key)
    with read:
        st.caption("As people read them")
        with st.container(border=True, height=HEIGHT):
            show_guidelines(text)
    return text


@st.dialog("Guidelines", width="large", icon=":material/menu_book:")
def guidelines_dialog(task: LabelTask) -> None:
    """Change what people are told."""
    guidelines_form(task)


def guidelines_form(task: LabelTask) -> None:
    """The text beside its preview, and earlier versions; saving makes a version that answers from now on carry."""
    st.caption(
        "Saving makes a new version. Answers say under which version they were given, so nobody is measured by a "
        "rule that came later."
    )
    text = write_guidelines(task.guidelines, f"guide_{task.id}")
    changed = bool(text.strip()) and text.strip() != task.guidelines.strip()
    if st.button("Save as a new version", type="primary", key="save_guidelines", disabled=not changed):
        with reported_errors():
            current_studio().labeling.set_guidelines(current_actor(), task.id, text)
            st.rerun()
    _history(task)


def _history(task: LabelTask) -> None:
    versions = current_studio().labeling.guideline_versions(task.id)
    with st.expander(f"{len(versions)} versions" if len(versions) > 1 else "1 version"):
        for each in sorted(versions, key=lambda version: -version.version):
            st.caption(
                f"Version {each.version}, by {plain(each.changed_by or task.created_by)}, {ago(each.created_at)}"
            )
            st.code(each.text, language=None, wrap_lines=True)
