"""Settings, Labeling: which Argilla is used and how it is, a test for another one, and the teams."""

from __future__ import annotations

import streamlit as st

from studio.access.actor import Actor, Role
from studio.settings import Settings
from studio.ui.components import status_badge
from studio.ui.formats import plain
from studio.ui.settings.teams import teams_section
from studio.ui.state import current_studio

EMBEDDED = (
    "The studio runs Argilla itself, with its own search engine: no Elasticsearch, no Redis, nothing to install. "
    "Teammates enter from the Label page, signed in already."
)
EXTERNAL = "An Argilla of your own. Teammates sign in there with the accounts your Argilla's owner gives them."
TO_USE = (
    "To use this one, set STUDIO_ARGILLA_URL and STUDIO_ARGILLA_API_KEY (or the file "
    "/run/secrets/studio_argilla_api_key) and start the studio again. Tasks stay on the Argilla they were sent to."
)


def labeling_tab(actor: Actor) -> None:
    """The platform, the test, the teams."""
    _platform(current_studio().settings)
    if actor.can(Role.ADMIN):
        _test()
    teams_section(actor)


@st.fragment(run_every=10)
def _platform(settings: Settings) -> None:
    health = current_studio().labeling.health()
    is_external = bool(settings.argilla_url)
    with st.container(border=True, key="argilla_used", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown("**External Argilla**" if is_external else "**Embedded Argilla**", width="content")
            status_badge("up" if health.ok else "down")
            st.caption(plain(settings.argilla_url or f"http://127.0.0.1:{settings.argilla_port}"), width="stretch")
        st.text(health.text)
        st.caption(EXTERNAL if is_external else EMBEDDED)
        if not health.ok:
            st.caption(_fix(settings))


def _fix(settings: Settings) -> str:
    if settings.argilla_url:
        return "Look at your Argilla's own log, or test its address and key below."
    if not settings.argilla_python.exists():
        return "Its environment is not installed here. `make run` installs it, and Docker's image has it."
    return "`studio up` starts it and brings it back when it crashes; starting takes up to half a minute."


def _test() -> None:
    with st.expander("Try another Argilla", icon=":material/network_check:", key="argilla_test"):
        st.caption("Nothing is saved: the studio asks this server with this key and says what is wrong, if anything.")
        with st.form("argilla_test_form", border=False):
            url = st.text_input("Address", placeholder="https://argilla.example.com", key="argilla_test_url")
            key = st.text_input("Owner's API key", type="password", autocomplete="off", key="argilla_test_key")
            if not st.form_submit_button("Test", icon=":material/network_check:"):
                return
        health = current_studio().labeling.test_connection(url.strip(), key.strip())
        if health.ok:
            st.success(f"{plain(health.text)}\n\n{plain(TO_USE)}", icon=":material/check_circle:")
        else:
            st.error(plain(health.text), icon=":material/error:")
