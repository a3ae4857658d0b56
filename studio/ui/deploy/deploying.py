"""The dialog that deploys: which model, under which alias, where, and in which form; problems before the button."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from storage.tables import Model, Project
from studio.access.places import Option
from studio.deploy.artifact.preflight import Problem
from studio.ui.components import next_step
from studio.ui.deploy.dialogs import page_dialog
from studio.ui.deploy.where import Where, choose_where
from studio.ui.formats import plain
from studio.ui.state import current_actor, current_studio, reported_errors

FORMS = {
    "auto": "Whatever fits the place best",
    "merged": "Whole weights",
    "adapter": "The adapter beside its base",
}
STRATEGIES = {
    "blue_green": "Beside what runs (no gap)",
    "recreate": "Stop the others first (the place holds only one)",
}
CONTAINER = ("gpu", "gpu_share", "dtype", "quantize", "max_total_tokens")
OWN_OPTIONS = {"embedded": ("threads", "max_total_tokens"), "tgi": CONTAINER, "vllm": CONTAINER}
THREADS = Option("threads", "Processor threads", "Empty takes half of this machine's.", "number")
AS_PLACE = "As usual there"


@dataclass(frozen=True)
class Wanted:
    """What the dialog asks to deploy."""

    model_id: str
    alias: str
    where: Where
    form: str
    strategy: str


@page_dialog("Deploy model", width="medium", icon=":material/rocket_launch:")
def deploy_dialog(project: Project, models: list[Model], alias: str) -> None:
    """Choose, see what stands in the way, deploy."""
    wanted = _choose(models, alias)
    stopped = _problems(project, wanted)
    st.caption("It is started and proven first. No call goes to it until you promote it.")
    if st.button("Deploy", type="primary", key="deploy_confirm", disabled=stopped):
        _deploy(project, wanted)
    next_step("Add a place under Settings, Serving", "settings")


def _choose(models: list[Model], alias: str) -> Wanted:
    names = {model.id: model.name for model in models}
    chosen = str(st.selectbox("Model", list(names), format_func=names.__getitem__, key="deploy_model"))
    alias = st.text_input("Alias", alias, help="The model name callers use. It stays the same.", key="deploy_alias")
    where = choose_where()
    with st.expander("More", icon=":material/tune:", key="deploy_more"):
        form = st.selectbox("Form", list(FORMS), format_func=FORMS.__getitem__, key="deploy_form")
        strategy = st.selectbox("Start it", list(STRATEGIES), format_func=STRATEGIES.__getitem__, key="deploy_strategy")
        options = _options(where)
    return Wanted(chosen, alias, where.with_options(options), str(form), str(strategy))


def _options(where: Where) -> dict[str, Any]:
    """What the kind of target lets a revision set by itself."""
    labels = {option.name: option for kind in current_studio().serving_places.kinds() for option in kind.options}
    given: dict[str, Any] = {}
    for name in OWN_OPTIONS.get(where.target, ()):
        option = labels.get(name, THREADS)
        if option.kind == "number":
            given[name] = st.number_input(
                option.label, 0.0, None, None, help=option.help, format="%g", key=f"deploy_{name}", placeholder=AS_PLACE
            )
        else:
            given[name] = st.text_input(option.label, help=option.help, key=f"deploy_{name}", placeholder=AS_PLACE)
    return {name: value for name, value in given.items() if value not in (None, "")}


def _problems(project: Project, wanted: Wanted) -> bool:
    """Show what stands in the way; whether something does."""
    where: Where = wanted.where
    found: list[Problem] = []
    with reported_errors():
        found = current_studio().deployments.preflight(
            project.id, wanted.model_id, where.target, where.place_id, wanted.form, where.options
        )
    for problem in found:
        icon, color = ("block", "red") if problem.blocking else ("info", "orange")
        offer = f" {where.label_of(problem.offer)} can." if problem.offer else ""
        st.markdown(f":{color}[:material/{icon}:] {plain(problem.text + offer)}")
    stopped = any(problem.blocking for problem in found)
    if not stopped:
        _form(project, wanted)
    return stopped


def _form(project: Project, wanted: Wanted) -> None:
    with reported_errors():
        choice = current_studio().deployments.form_of(
            project.id, wanted.model_id, wanted.where.target, wanted.where.place_id, wanted.form
        )
        st.caption(plain(choice.why))


def _deploy(project: Project, wanted: Wanted) -> None:
    with reported_errors():
        made = current_studio().deployments.deploy(
            current_actor(),
            project.id,
            wanted.alias,
            wanted.model_id,
            wanted.where.target,
            wanted.where.options,
            wanted.where.key,
            place_id=wanted.where.place_id,
            form=wanted.form,
            strategy=wanted.strategy,
        )
        st.session_state.pop("alias", None)
        st.query_params["id"] = made.deployment_id
        st.rerun()
