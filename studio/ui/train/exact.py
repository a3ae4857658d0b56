"""The exact recipe of a plan, for those who would have written one: read, download, edit and train, take away."""

from __future__ import annotations

from typing import Any

import streamlit as st

from studio.access.actor import Role
from studio.train.plan import Plan
from studio.ui.state import current_actor, current_studio, reported_errors
from studio.ui.train.choice import Choice, Start
from studio.ui.train.planned import recipe_of
from studio.ui.train.take_away import bundle_picker
from studio.ui.train.unfold import unfold


def exact_recipe(plan: Plan, choice: Choice, start: Start, overrides: dict[str, Any]) -> None:
    """The recipe in full, one click away."""
    with unfold("The exact recipe", icon="receipt", key="plan_recipe") as opened:
        if not opened:
            return
        text = recipe_of(plan)
        st.code(text, language="yaml", height=320)
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            st.download_button("Download recipe.yaml", text, "recipe.yaml", "text/yaml", icon=":material/download:")
            if current_actor().can(Role.EDITOR):
                _edit(text, choice, start)
            if choice.base_kind == "model":
                bundle_picker(choice.method, "plan", lambda tool: _bundle(choice, overrides, tool))


def _edit(text: str, choice: Choice, start: Start) -> None:
    """Change the text by hand, and train exactly that."""
    with st.popover("Edit and train", icon=":material/edit:"), st.form("recipe_form", border=False):
        edited = st.text_area("Recipe", text, height=360, width=560)
        started = st.form_submit_button("Train this recipe", type="primary")
    if started:
        with reported_errors():
            actor = current_actor()
            parts = (choice.project_id, choice.version_id, choice.base_id(actor), edited)
            run = current_studio().training.start_recipe(actor, *parts, runner=start.runner)
            st.query_params["run"] = run.id
            st.rerun()


def _bundle(choice: Choice, overrides: dict[str, Any], tool: str) -> bytes:
    parts = (choice.version_id, choice.base_key, tool)
    how: dict[str, Any] = {"method": choice.method, "preset": choice.preset, "overrides": overrides}
    return current_studio().takeaways.bundle_of_plan(*parts, **how)
