"""What waits: the newest revision's next step, its progress, or why it may not go further."""

from __future__ import annotations

import streamlit as st

from storage.tables import Model, Project, Revision
from studio.access.actor import Role
from studio.deploy.overview import Overview, Promotion, RevisionView
from studio.ui.components import job_panel
from studio.ui.deploy.certificate import certificate_sentence
from studio.ui.deploy.confirming import Change, confirm
from studio.ui.deploy.deploying import deploy_dialog
from studio.ui.deploy.naming import route_names, split_in_words
from studio.ui.deploy.overriding import override_dialog
from studio.ui.formats import plain
from studio.ui.job_panel import UNFINISHED
from studio.ui.state import current_actor, current_studio

DEPLOY = "Deploy model"


def primary_label(found: Overview | None) -> str:
    """The one thing to do next."""
    return step_label(found.promotion) if found and found.promotion else DEPLOY


def primary_icon(found: Overview | None) -> str:
    """Up a step, or a new revision."""
    return "trending_up" if found and found.promotion else "rocket_launch"


def step_label(step: Promotion) -> str:
    """Shadow 20 %, or Promote to 5 %."""
    return step.label if step.step.shadow else f"Promote to {step.label}"


def take_next_step(project: Project, models: list[Model], found: Overview | None) -> None:
    """Do what the primary button says."""
    if found is None or found.promotion is None:
        deploy_dialog(project, models, found.deployment.alias if found else "")
    else:
        confirm(next_change(found))


def next_change(found: Overview) -> Change:
    """The next step up, in words and as an act."""
    step, deployments, actor = found.promotion, current_studio().deployments, current_actor()
    assert step is not None
    view = view_of(found, step.revision.id)
    return Change(
        title=f"{step_label(step)}?",
        sentence=sentence_of_step(found, view),
        button=step_label(step),
        gaining=(view,),
        act=lambda reason: deployments.promote(actor, step.revision.id, reason),
    )


def sentence_of_step(found: Overview, view: RevisionView) -> str:
    """What the next step changes for callers."""
    step, names = found.promotion, route_names(found)
    assert step is not None
    name = names[view.revision.id]
    if step.step.shadow:
        return (
            f"{name} will answer copies of {step.percent:g} % of the calls to {found.deployment.alias}. "
            "Nobody sees those answers and no call waits for them."
        )
    return (
        f"{name} goes from {view.weight:g} % to {step.percent:g} % of the calls to {found.deployment.alias}. "
        f"Now: {split_in_words(found.release.routes if found.release else [], names)}."
    )


def view_of(found: Overview, revision_id: str) -> RevisionView:
    """The revision with its model and share."""
    return next(view for view in found.revisions if view.revision.id == revision_id)


def what_waits(found: Overview) -> None:
    """The newest revision: going on, red with its reason, or ready for its next step."""
    newest = found.revisions[0] if found.revisions else None
    if newest is None:
        return
    if found.promotion and newest.revision.state == "ready":
        _ready(found, newest)
    elif newest.revision.state == "failed":
        _red(newest)
    else:
        _going_on(newest)


def _ready(found: Overview, newest: RevisionView) -> None:
    with st.container(border=True, gap="xsmall", key="what_waits"):
        st.markdown(f":green[:material/verified:] **{_name(newest)} is ready.** {plain(next_in_words(found, newest))}")
        if told := certificate_sentence(newest.revision):
            st.caption(plain(told))


def next_in_words(found: Overview, view: RevisionView) -> str:
    """What the primary button would do, for somebody who sees the split beside it."""
    step = found.promotion
    assert step is not None
    if step.step.shadow:
        return f"Next: it answers copies of {step.percent:g} % of the calls, for nobody to see."
    return f"Next: from {view.weight:g} % to {step.percent:g} % of the calls."


def _red(newest: RevisionView) -> None:
    revision = newest.revision
    with st.container(border=True, gap="small", key="what_waits"):
        st.markdown(f":red[:material/gpp_bad:] **{_name(newest)} may not have traffic.**")
        st.text(revision.error or "Its gates did not pass.")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if st.button(
                "Override gates", key="override_newest", icon=":material/gavel:", disabled=not may_override(revision)
            ):
                override_dialog(revision)
            st.caption("An admin can override with a written reason, which stays on the release.", width="stretch")


def may_override(revision: Revision) -> bool:
    """Whether this person may take it upon themselves."""
    return current_actor().can(Role.ADMIN) and bool(revision.certificate)


def _going_on(newest: RevisionView) -> None:
    job_id = str(newest.revision.spec.get("job_id") or "")
    if job_id and current_studio().jobs.get(job_id).status in UNFINISHED:
        job_panel(job_id, key=f"deploy_{newest.revision.id}")


def _name(view: RevisionView) -> str:
    return plain(f"Revision {view.revision.number} ({view.model.name})")
