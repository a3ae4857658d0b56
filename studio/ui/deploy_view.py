"""The parts of the Deploy page: the alias and its split, revisions with their evidence, trying a model, connecting."""

from __future__ import annotations

from typing import Any

import streamlit as st

from storage.tables import Deployment, DeploymentEvent, Model, Project
from studio.access.actor import Role
from studio.deploy.client import Reply
from studio.deploy.gates import golden_prompts
from studio.deploy.overview import Overview
from studio.ui.deploy_revision import shift
from studio.ui.formats import ago, milliseconds, plain
from studio.ui.state import current_actor, current_studio, reported_errors

SETTLED = ("stopped", "failed")
"""States that only a person changes; a ready revision may still restart."""
TARGETS = {"embedded": "Embedded server (this machine)", "external": "A server that runs elsewhere"}


def servable(models: list[Model]) -> list[Model]:
    """Models with weights of our own, tuned ones first."""
    found = [model for model in models if model.kind in ("tuned", "base") and model.digest]
    return sorted(found, key=lambda model: (model.kind != "tuned", -model.created_at.timestamp()))


def opened(deployments: list[Deployment]) -> Overview | None:
    """The alias that was picked, or that the address names, or the first; None when there is none."""
    ids = [deployment.id for deployment in deployments]
    wanted = [key for key in (st.session_state.get("alias"), st.query_params.get("id")) if key in ids]
    return current_studio().deployments.overview([*wanted, *ids][0]) if ids else None


def choose_alias(project: Project, models: list[Model], deployments: list[Deployment], found: Overview) -> None:
    """The alias picker, with its own way to deploy while the primary button promotes; the choice is in the address."""
    names = {deployment.id: deployment.alias for deployment in deployments}
    index = list(names).index(found.deployment.id)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.selectbox("Alias", list(names), index=index, format_func=names.__getitem__, width=360, key="alias")
        can_deploy = bool(models) and found.promotion is not None and current_actor().can(Role.EDITOR)
        if can_deploy and st.button("Deploy another model", icon=":material/add:", key="deploy_another"):
            deploy_dialog(project, models, found.deployment.alias)
    st.query_params["id"] = chosen


def follow_changes(found: Overview) -> None:
    """Draw the page again when a revision gets further: the worker changes it, not only the job in the panel."""
    moving = any(view.revision.state not in SETTLED for view in found.revisions)
    st.fragment(_rerun_on_change, run_every=2.0 if moving else None)(found.deployment.id, _states(found))


def _rerun_on_change(deployment_id: str, seen: list[tuple[str, str]]) -> None:
    if _states(current_studio().deployments.overview(deployment_id)) != seen:
        st.rerun()


def _states(found: Overview) -> list[tuple[str, str]]:
    return [(view.revision.id, view.revision.state) for view in found.revisions]


def primary_label(found: Overview | None) -> str:
    """The one thing to do next."""
    if found is None or found.promotion is None:
        return "Deploy model"
    return f"Promote to {found.promotion.percent:g} %"


def take_next_step(project: Project, models: list[Model], found: Overview | None) -> None:
    """Do what the primary button says."""
    if found is None or found.promotion is None:
        deploy_dialog(project, models, found.deployment.alias if found else "")
    else:
        shift(found.promotion.revision, found.promotion.percent)


@st.dialog("Deploy model")
def deploy_dialog(project: Project, models: list[Model], alias: str) -> None:
    """Choose a model, an alias and where to serve it."""
    names = {model.id: model.name for model in models}
    chosen = st.selectbox("Model", list(names), format_func=names.__getitem__, key="deploy_model")
    alias = st.text_input("Alias", alias, help="The model name callers use. It stays the same.", key="deploy_alias")
    target = st.selectbox("Serve on", list(TARGETS), format_func=TARGETS.__getitem__, key="deploy_target")
    options, key = _external_options() if target == "external" else ({}, "")
    st.caption("It is started and proven first. No call goes to it until you promote it.")
    if st.button("Deploy", type="primary", key="deploy_confirm"):
        with reported_errors():
            made = current_studio().deployments.deploy(
                current_actor(), project.id, alias, chosen, target, options, api_key=key
            )
            st.session_state.pop("alias", None)
            st.query_params["id"] = made.deployment_id
            st.rerun()


def _external_options() -> tuple[dict[str, Any], str]:
    url = st.text_input("Address", placeholder="http://gpu-1:8080", key="deploy_url")
    name = st.text_input("Model name there", key="deploy_served_name")
    dialect = st.selectbox("It speaks", ["openai", "tgi"], key="deploy_dialect")
    key = st.text_input("API key", type="password", key="deploy_key")
    return {"url": url, "served_name": name, "dialect": dialect}, key


def split(found: Overview) -> None:
    """Who answers which share, and the way back."""
    with st.container(border=True, gap="small"):
        _split_headline(found)
        for share in found.shares:
            note = "" if share.usable else " · not answering now"
            label = "standby" if share.standby else f"{share.weight:g} %"
            st.progress(share.weight / 100, text=f"{plain(share.name)} · {label}{note}")
        if not found.shares:
            st.caption("No call is answered under this alias yet: promote a ready revision.")


def _split_headline(found: Overview) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        if found.release:
            st.caption(
                f"Release {found.release.number} · {plain(found.release.reason)} · {ago(found.release.created_at)}"
                f" by {plain(found.release.created_by)}"
            )
        allowed = found.undoable is not None and current_actor().can(Role.EDITOR)
        goal = f"Back to release {found.undoable.number}, at once." if found.undoable else "Nothing to go back to."
        if st.button("Undo", icon=":material/undo:", key="undo", disabled=not allowed, help=goal):
            with reported_errors():
                current_studio().deployments.undo(current_actor(), found.deployment.id)
                st.rerun()


def playground(found: Overview) -> None:
    """Ask the alias through the gateway, or one revision directly."""
    running = {view.revision.id: view for view in found.revisions if view.revision.endpoint}
    names = {key: f"Revision {view.revision.number} directly" for key, view in running.items()}
    names |= {"": f"{found.deployment.alias}, through the gateway"}
    chosen = st.selectbox("Ask", list(names), format_func=names.__getitem__, key="try_where", width=360)
    key = st.text_input("API key", type="password", key="try_key", width=360) if not chosen else ""
    system, user = _example(found)
    system = st.text_input("System", system, key="try_system")
    user = st.text_area("User", user, key="try_user")
    if st.button("Send", icon=":material/send:", key="try_send", disabled=not user.strip()):
        messages = [{"role": "system", "content": system}] if system.strip() else []
        with reported_errors():
            _show(_ask(found.deployment.alias, chosen, key, [*messages, {"role": "user", "content": user}]))


def _ask(alias: str, revision_id: str, key: str, messages: list[dict[str, Any]]) -> Reply:
    deployments = current_studio().deployments
    if revision_id:
        return deployments.ask(current_actor(), revision_id, messages)
    return deployments.ask_gateway(key, alias, messages)


def _show(reply: Reply) -> None:
    st.caption(milliseconds(reply.milliseconds))
    st.code(reply.text or "(an empty answer)", language=None, wrap_lines=True)


def _example(found: Overview) -> tuple[str, str]:
    """A golden prompt to start from."""
    prompts = [prompt for view in found.revisions for prompt in golden_prompts(view.model)]
    said = {m["role"]: str(m.get("content") or "") for m in (prompts[0].messages if prompts else [])}
    return said.get("system", ""), said.get("user", "")


def snippet(alias: str) -> None:
    """How to call the alias."""
    url = current_studio().settings.gateway_url
    st.caption("Make an API key under Settings, then change the base URL and the model name. Nothing else.")
    st.code(
        f"""from openai import OpenAI

client = OpenAI(base_url="{url}/v1", api_key="wk-...")
reply = client.chat.completions.create(
    model={alias!r}, messages=[{{"role": "user", "content": "..."}}]
)""",
        language="python",
    )
    st.code(
        f"""from huggingface_hub import InferenceClient

client = InferenceClient(base_url="{url}/v1", api_key="wk-...")
reply = client.chat_completion(
    model={alias!r}, messages=[{{"role": "user", "content": "..."}}]
)""",
        language="python",
    )


def history(events: list[DeploymentEvent]) -> None:
    """What happened, newest first; what left a log shows it."""
    with st.container(gap="xsmall"):
        for event in events:
            parts = (event.what, event.who, event.detail.get("reason") or event.detail.get("why") or "")
            st.caption(" · ".join([ago(event.at), *(plain(str(part)) for part in parts if part)]))
            if event.detail.get("log"):
                with st.expander("Log", key=f"event_log_{event.id}"):
                    st.code(event.detail["log"], language=None)
