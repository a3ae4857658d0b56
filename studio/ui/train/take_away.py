"""Taking a run elsewhere: the recipe as a file, the command that reproduces it, a bundle per tool, the whole log."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from storage.tables import TrainingRun
from studio.train.methods import METHODS
from studio.ui.state import current_studio, reported_errors
from studio.ui.train.unfold import unfold

BUNDLE = "bundle"


def recipe_part(run: TrainingRun) -> None:
    """The exact recipe, how to do it again, and bundles for other tools."""
    with unfold("Recipe and take-away", icon="receipt", key="recipe") as opened:
        if not opened:
            return
        text = current_studio().training.recipe_text(run)
        way = METHODS.get(run.method)
        if way and way.command:
            st.caption(
                f"This file also runs as it is with TRL, in the run's folder: {way.command} --config recipe.yaml"
            )
        st.code(text, language="yaml", height=320)
        st.caption("The same run again from a terminal: same seed, same machine, same losses.")
        st.code(f"studio reproduce {run.id}", language="bash")
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            st.download_button("Download recipe.yaml", text, "recipe.yaml", "text/yaml", icon=":material/download:")
            bundle_picker(run.method, run.name, lambda tool: current_studio().takeaways.bundle(run.id, tool))


def log_part(run: TrainingRun) -> None:
    """The end of the log, and all of it as a file."""
    with unfold("Log", icon="terminal", key="log") as opened:
        if not opened:
            return
        st.code(current_studio().training.log(run) or "Nothing yet.", language=None, height=300)
        st.download_button(
            "Download the whole log",
            lambda: current_studio().experiments.full_log(run),
            f"{run.name}.log",
            "text/plain",
            icon=":material/download:",
            key="whole_log",
        )


def bundle_picker(method: str, name: str, make: Callable[[str], bytes]) -> None:
    """Config, data and README for another tool, made when asked for."""
    tools = {tool.name: tool.label for tool in current_studio().takeaways.tools(method)}
    if not tools:
        return
    tool = st.selectbox("Take it to", list(tools), format_func=tools.__getitem__, key="bundle_tool", width=200)
    if st.button("Make a bundle", key="make_bundle", icon=":material/folder_zip:"):
        with reported_errors():
            st.session_state[BUNDLE] = (f"{name}-{tool}", make(tool))
    made = st.session_state.get(BUNDLE)
    if made and made[0] == f"{name}-{tool}":
        st.download_button(
            "Download the bundle", made[1], f"{made[0]}.zip", "application/zip", icon=":material/download:"
        )
