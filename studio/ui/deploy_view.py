"""The parts of the Deploy page: the alias and its split, revisions with their evidence, trying a model, connecting."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import Deployment, DeploymentEvent, Model, Project, Revision
from studio.access.actor import Role
from studio.deploy.client import Reply
from studio.deploy.gates import golden_prompts
from studio.deploy.overview import Overview, RevisionView
from studio.ui.components import status_badge
from studio.ui.formats import ago, milliseconds, plain
from studio.ui.state import current_actor, current_studio, reported_errors

TARGETS = {"embedded": "Embedded server (this machine)", "external": "A server that runs elsewhere"}
GATES = {
    "health": "The server says it is healthy",
    "identity": "It answers to this revision's name",
    "golden": "It gives the tuned model's answers, not the base's",
    "template": "It makes the same prompts as training did",
    "smoke": "A real prompt gets an answer",
    "override": "Overridden by an admin",
}
STARTABLE = ("stopped", "failed")


def servable(models: list[Model]) -> list[Model]:
    """Models with weights of our own, tuned ones first."""
    found = [model for model in models if model.kind in ("tuned", "base") and model.digest]
    return sorted(found, key=lambda model: (model.kind != "tuned", -model.created_at.timestamp()))


def opened(deployments: list[Deployment]) -> Overview | None:
    """The alias that was picked, or that the address names, or the first; None when there is none."""
    ids = [deployment.id for deployment in deployments]
    wanted = [key for key in (st.session_state.get("alias"), st.query_params.get("id")) if key in ids]
    return current_studio().deployments.overview([*wanted, *ids][0]) if ids else None


def choose_alias(deployments: list[Deployment], found: Overview) -> None:
    """The alias picker; the choice is in the address."""
    names = {deployment.id: deployment.alias for deployment in deployments}
    index = list(names).index(found.deployment.id)
    chosen = st.selectbox("Alias", list(names), index=index, format_func=names.__getitem__, width=360, key="alias")
    st.query_params["id"] = chosen


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


def revision_card(view: RevisionView) -> None:
    """One revision: its state, its gates' evidence, its log, and what can be done with it."""
    revision = view.revision
    with st.container(border=True, gap="small", key=f"revision_{revision.id}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**Revision {revision.number}** · {plain(view.model.name)}", width="content")
            status_badge(revision.state)
            st.caption(f"{revision.target} · {ago(revision.created_at)} by {plain(revision.created_by)}")
        if revision.error:
            st.error(plain(revision.error), icon=":material/error:")
        _actions(view)
        for entry in revision.certificate:
            _gate(entry)
        with st.expander("Server log", icon=":material/terminal:", key=f"log_{revision.id}", on_change="rerun") as log:
            if log.open:
                st.code(current_studio().deployments.log(revision.id) or "Nothing was written yet.", language=None)


def _actions(view: RevisionView) -> None:
    revision, actor = view.revision, current_actor()
    ready, editor = revision.state == "ready", actor.can(Role.EDITOR)
    with st.container(horizontal=True, gap="small"):
        for percent in (20.0, 100.0):
            same = view.weight == percent
            if st.button(
                f"{percent:g} %", key=f"shift_{percent:g}_{revision.id}", disabled=not (ready and editor) or same
            ):
                shift(revision, percent)
        if revision.state in STARTABLE:
            _start_buttons(revision, editor)
        elif st.button(
            "Stop", key=f"stop_{revision.id}", icon=":material/stop:", disabled=not editor or view.weight > 0
        ):
            with reported_errors():
                current_studio().deployments.stop(actor, revision.id)
                st.rerun()


def _start_buttons(revision: Revision, editor: bool) -> None:
    if revision.state == "stopped":
        if st.button("Start", key=f"start_{revision.id}", icon=":material/play_arrow:", disabled=not editor):
            with reported_errors():
                current_studio().deployments.restart(current_actor(), revision.id)
                st.rerun()
    elif current_actor().can(Role.ADMIN) and st.button("Override gates", key=f"override_{revision.id}"):
        override_dialog(revision)


@st.dialog("Override gates")
def override_dialog(revision: Revision) -> None:
    """An admin takes the responsibility, in writing."""
    st.caption(f"Revision {revision.number} has not proven that its weights answer. Your reason is kept with it.")
    reason = st.text_area("Reason", key="override_reason")
    if st.button("Override", type="primary", key="override_confirm"):
        with reported_errors():
            current_studio().deployments.override_gates(current_actor(), revision.id, reason)
            st.rerun()


def shift(revision: Revision, percent: float) -> None:
    """Move traffic, and show the new split."""
    with reported_errors():
        current_studio().deployments.shift(current_actor(), revision.id, percent)
        st.rerun()


def _gate(entry: dict[str, Any]) -> None:
    passed, evidence = entry["passed"], entry["evidence"]
    icon = ":material/check_circle:" if passed else ":material/cancel:"
    title = GATES.get(entry["gate"], entry["gate"])
    with st.expander(title, icon=icon, expanded=not passed):
        if "why" in evidence:
            st.text(evidence["why"])
        rows = evidence.get("rows")
        if rows:
            st.caption(f"{evidence['matches']} of {evidence['prompts']} match the tuned model.")
            st.dataframe(pd.DataFrame([_golden_row(row) for row in rows]), hide_index=True, width="stretch")
        others = {name: value for name, value in evidence.items() if name not in ("why", "rows")}
        if others:
            st.json(others, expanded=True)


def _golden_row(row: dict[str, Any]) -> dict[str, Any]:
    said = "tuned" if row["matches_tuned"] else "base" if row["matches_base"] else "something else"
    return {"prompt": row["prompt"], "answers like": said, "served": str(row["served"]), "tuned": str(row["tuned"])}


def playground(found: Overview) -> None:
    """Ask the alias through the gateway, or one revision directly."""
    running = {view.revision.id: view for view in found.revisions if view.revision.endpoint}
    names = {"": f"{found.deployment.alias}, through the gateway"}
    names |= {key: f"Revision {view.revision.number} directly" for key, view in running.items()}
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
    """What happened, newest first; a row with a log shows it."""
    for event in events:
        detail = event.detail.get("reason") or event.detail.get("why") or ""
        st.caption(
            f"{ago(event.at)} · {plain(event.what)} · {plain(event.who)}" + (f" · {plain(detail)}" if detail else "")
        )
        if event.detail.get("log"):
            with st.expander("Log", key=f"event_log_{event.id}"):
                st.code(event.detail["log"], language=None)
