"""Review: what people disagree about, one by one, decided with one key."""

import streamlit as st

from studio.ui import review_view as view
from studio.ui.components import empty_state, next_step, page_header
from studio.ui.state import current_actor, current_project, current_studio

actor, project = current_actor(), current_project()
page_header("Review", "Decide on the examples people disagree about: 1, 2, 3 choose an answer, S skips, X leaves out.")
if project is None:
    empty_state("folder", "No project yet", "Create one under Settings, Projects.", "Open Settings", "settings")
    st.stop()

disputes = current_studio().labeling.disputes(project.id, st.query_params.get("task"))
if disputes:
    view.show_dispute(view.current_dispute(disputes), len(disputes), actor)
else:
    empty_state(
        "handshake",
        "Nothing is disputed",
        "When two people answer differently and you apply the answers on Label, the example comes here.",
        "Open Label",
        "label",
    )
next_step("Freeze a version with the decided outputs on Curate", "curate")
