"""A box to try a privacy policy on a text; nothing of it is saved."""

from __future__ import annotations

import streamlit as st

from storage.tables import Project
from studio.capture.privacy.detectors import DETECTORS
from studio.capture.privacy.policy import Policy
from studio.capture.privacy.service import checked
from studio.errors import StudioError
from studio.ui.formats import plain
from studio.ui.state import current_studio

SAMPLE = (
    "Hi, I'm Maria (maria.lopez@example.com, +49 30 901820), born on 1984-03-12.\n"
    "Please refund card 4111 1111 1111 1111 to DE89 3704 0044 0532 0130 00.\n"
    "My key is sk-proj-aB3dE5fG7hJ9kL1mN3pQ5rS7."
)
NAMES = {name: each.label for name, each in DETECTORS.items()} | {"key": "Keys and passwords", "withheld": "Withheld"}


def try_section(project: Project, chosen: Policy) -> None:
    """The text as it would be written with the policy on the screen, saved or not."""
    with st.container(border=True, gap="small"):
        st.markdown("**Try it**")
        text = st.text_area("Text", SAMPLE, height=170, key="privacy_try", label_visibility="collapsed")
        try:
            policy = checked(chosen)
        except StudioError as error:
            st.error(plain(error.message), icon=":material/error:")
            return
        if policy.record != "full":
            st.caption("No text is recorded.")
            return
        shown = current_studio().privacy.preview(project.id, text, policy)
        st.caption("What is written down")
        st.code(shown.text, language=None, wrap_lines=True)
        with st.container(horizontal=True, gap="small"):
            for kind, count in shown.taken_out.items():
                st.badge(f"{NAMES.get(kind, kind)} {count}", color="red" if kind in ("key", "withheld") else "blue")
        if not shown.taken_out:
            st.caption("Nothing is taken out of this text.")
