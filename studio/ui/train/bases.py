"""What a run can start from: the project's bases, its tuned models, and the Hub menu; the sample builds its own."""

from __future__ import annotations

import streamlit as st

from storage.tables import Model, Project
from studio.access.actor import Actor, Role
from studio.train.hub import MENU
from studio.ui.components import active_jobs
from studio.ui.formats import plain, short_number
from studio.ui.state import current_studio, reported_errors


def base_jobs(project_id: str) -> None:
    """The panels of base models that are being built."""
    active_jobs(project_id, ("build_base",), key="base_job")


def needs_first_base(project: Project) -> bool:
    """Whether this is the sample project before its base model is built."""
    return project.is_sample and not current_studio().models.all(project.id, ("base",))


def first_base(project: Project, actor: Actor) -> None:
    """What the sample project shows before it has a base model."""
    with st.container(border=True, key="first_base", horizontal_alignment="center", gap="small"):
        st.markdown("#### Build the tiny base model", text_alignment="center")
        st.caption(
            "A model of 0.4 million weights that knows the shop's language but not the task. Built here in about half "
            "a minute; nothing is downloaded.",
            text_alignment="center",
        )
        build_button(project, actor, primary=True)


def build_button(project: Project, actor: Actor, *, primary: bool) -> None:
    """Starts building the sample's base; disabled while one is built."""
    busy = bool(current_studio().jobs.active(project.id, ("build_base",))) or not actor.can(Role.EDITOR)
    if st.button(
        "Build the tiny base model",
        key="build_base",
        type="primary" if primary else "secondary",
        icon=":material/construction:",
        disabled=busy,
    ):
        with reported_errors():
            current_studio().sample.build_base(actor, project.id)
            st.rerun()


def lacks_tiny_base(project: Project) -> bool:
    """Whether the sample project has only bases from the Hub."""
    return project.is_sample and not any(model.digest for model in current_studio().models.all(project.id, ("base",)))


def bases(project_id: str) -> dict[str, str]:
    """What can be started from: bases here first, then tuned models to continue, then the Hub's menu."""
    registered = current_studio().models.all(project_id, ("base", "tuned"))
    here = {f"model:{each.id}": f"{each.name} ({short_number(each.parameters)})" for each in _of(registered, "base")}
    tuned = {f"model:{each.id}": f"Continue {each.name}" for each in _of(registered, "tuned")}
    names = {model.name for model in registered}
    menu = {
        f"hub:{each.hub_id}": f"{each.name} ({short_number(each.shape.parameters)}, download)"
        for each in MENU
        if each.name not in names
    }
    return here | tuned | menu


def registered(project_id: str, base: str) -> str:
    """The base by its id once it is in the project, else as it was."""
    hub_id = base.partition(":")[2]
    found = next((each for each in current_studio().models.all(project_id, ("base",)) if each.hub_id == hub_id), None)
    return f"model:{found.id}" if found else base


def about_base(base: str, version_id: str) -> str:
    """What to know about a base for this data: its size for the task, and for one from the Hub its licence."""
    kind, _, key = base.partition(":")
    advice = current_studio().training.advise_base(version_id)
    told = next((each.reason for each in advice if key in (each.model_id, each.hub_id)), "")
    found = next((each for each in MENU if kind == "hub" and each.hub_id == key), None)
    return plain(f"{told} {found.note} Licence: {found.licence}" if found else told)


def _of(models: list[Model], kind: str) -> list[Model]:
    return [model for model in models if model.kind == kind]
