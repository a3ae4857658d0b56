"""What the Deploy page opens: the alias, and when to draw it again."""

from __future__ import annotations

import streamlit as st

from storage.tables import Deployment, Model, Project
from studio.access.actor import Role
from studio.deploy.overview import Overview
from studio.ui.deploy.deploying import deploy_dialog
from studio.ui.deploy.dialogs import all_closed, is_open
from studio.ui.deploy.rules import rules_dialog
from studio.ui.state import current_actor, current_studio

SETTLED = ("stopped", "failed", "ready")
"""States that stay until somebody, or a crash, changes them."""
SOON_S, LATER_S = 2.0, 5.0
ALIAS = "alias"


def servable(models: list[Model]) -> list[Model]:
    """Models with weights of our own, tuned ones first."""
    found = [model for model in models if model.kind in ("tuned", "base") and model.digest]
    return sorted(found, key=lambda model: (model.kind != "tuned", -model.created_at.timestamp()))


def opened(deployments: list[Deployment]) -> Overview | None:
    """The alias that was picked, or that the address names, or the first; None when there is none."""
    all_closed()
    ids = [deployment.id for deployment in deployments]
    wanted = [key for key in (st.session_state.get(ALIAS), st.query_params.get("id")) if key in ids]
    return current_studio().deployments.overview([*wanted, *ids][0]) if ids else None


def choose_alias(project: Project, models: list[Model], deployments: list[Deployment], found: Overview) -> None:
    """The alias picker, its rules, and a way to deploy while the primary button promotes; kept in the address."""
    names = {deployment.id: deployment.alias for deployment in deployments}
    index = list(names).index(found.deployment.id)
    can_edit = current_actor().can(Role.EDITOR)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.selectbox("Alias", list(names), index=index, format_func=names.__getitem__, width=360, key=ALIAS)
        if (
            models
            and found.promotion
            and st.button("Deploy another model", icon=":material/add:", key="deploy_another", disabled=not can_edit)
        ):
            deploy_dialog(project, models, found.deployment.alias)
        if st.button("Rules", icon=":material/rule:", key="rules", disabled=not can_edit):
            rules_dialog(found.deployment)
    st.query_params["id"] = chosen


def follow_changes(found: Overview) -> None:
    """Draw the page again when the worker, a guardrail or somebody else changed something."""
    moving = any(view.revision.state not in SETTLED for view in found.revisions)
    pulse = SOON_S if moving else LATER_S
    st.fragment(_rerun_on_change, run_every=pulse)(found.deployment.id, _seen(found.deployment.id))


def _rerun_on_change(deployment_id: str, seen: list[tuple[str, str]]) -> None:
    if not is_open() and _seen(deployment_id) != seen:
        st.rerun()


def _seen(deployment_id: str) -> list[tuple[str, str]]:
    deployments = current_studio().deployments
    release = deployments.current(deployment_id)
    states = [(revision.id, revision.state) for revision in deployments.revisions(deployment_id)]
    return [("release", str(release.number if release else 0)), *states]
