"""One revision: its state, what it proved, what happened to it, its log, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from storage.tables import DeploymentEvent, Revision
from studio.access.actor import Role
from studio.deploy.overview import Overview, RevisionView
from studio.ui.components import status_badge
from studio.ui.deploy.certificate import certificate, certificate_sentence
from studio.ui.deploy.evidence import release_evidence
from studio.ui.deploy.history import history
from studio.ui.deploy.naming import place_of, share_in_words
from studio.ui.deploy.overriding import override_dialog
from studio.ui.deploy.stepping import may_override
from studio.ui.formats import ago, plain
from studio.ui.state import current_actor, current_studio, reported_errors
from studio.ui.train.unfold import unfold

NEWEST = 4
FORMS = {"merged": "whole weights", "adapter": "adapter", "auto": "form not chosen yet"}
ICONS = {"Proof": "verified", "What happened": "history", "Server log": "terminal", "On TGI yourself": "dns"}
LOG_HEIGHT = 320


def revision_cards(found: Overview) -> None:
    """The newest revisions, and the older ones behind one click."""
    if not found.revisions:
        st.caption("Only the provider's model answers so far. Train a model, then deploy it here.")
        return
    places = {place.id: place.name for place in current_studio().serving_places.all()}
    first = [view for at, view in enumerate(found.revisions) if at < NEWEST or view.weight]
    older = [view for view in found.revisions if view not in first]
    for view in first:
        _card(found, view, places)
    if older:
        with unfold(f"{len(older)} older revisions", icon="history", key="older_revisions") as opened:
            for view in older if opened else []:
                _card(found, view, places)


def _card(found: Overview, view: RevisionView, places: Mapping[str, str]) -> None:
    revision = view.revision
    with st.container(border=True, gap="xsmall", key=f"revision_{revision.id}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**Revision {revision.number}** · {plain(view.model.name)}", width="content")
            status_badge(revision.state)
            if view.weight:
                st.badge(share_in_words(view.weight), color="violet")
            if view.shadow:
                st.badge(f"shadow {view.shadow:g} %", color="gray", icon=":material/visibility_off:")
            st.space("stretch")
            _actions(view)
        st.caption(plain(about(revision, places)))
        if revision.error:
            st.error(plain(revision.error), icon=":material/error:")
        elif told := certificate_sentence(revision):
            color = "green" if all(entry["passed"] for entry in revision.certificate) else "orange"
            st.markdown(f":{color}[:material/verified:] {plain(told)}")
        _parts(found, view)


def about(revision: Revision, places: Mapping[str, str]) -> str:
    """Where, as what, by whom."""
    form = FORMS.get(revision.form, revision.form)
    return f"{place_of(revision, places)} · {form} · {ago(revision.created_at)} by {revision.created_by}"


def _parts(found: Overview, view: RevisionView) -> None:
    """One row of choices; what is not chosen costs nothing."""
    revision = view.revision
    parts: dict[str, Callable[[], None]] = {
        "Proof": lambda: _proof(found, view),
        "What happened": lambda: history(events_of(found.events, revision.id), {}, key=revision.id),
        "Server log": lambda: _log(revision),
    }
    if revision.target == "embedded":
        parts["On TGI yourself"] = lambda: _on_tgi(revision)
    chosen = st.segmented_control(
        "Show", list(parts), key=f"part_{revision.id}", label_visibility="collapsed", format_func=_with_icon
    )
    if chosen:
        parts[chosen]()


def _with_icon(part: str) -> str:
    return f":material/{ICONS[part]}: {part}"


def _proof(found: Overview, view: RevisionView) -> None:
    release_evidence(found, view)
    certificate(view.revision)
    if not view.revision.certificate:
        st.caption("Nothing is proven yet: its gates come once its server is healthy.")


def events_of(events: Sequence[DeploymentEvent], revision_id: str) -> list[DeploymentEvent]:
    """What happened to this revision."""
    return [event for event in events if event.revision_id == revision_id]


def _log(revision: Revision) -> None:
    with reported_errors():
        told = current_studio().deployments.log(revision.id)
        st.code(told or "Nothing was written yet.", language=None, wrap_lines=True, height=LOG_HEIGHT)


def _on_tgi(revision: Revision) -> None:
    advice = current_studio().deployments.on_tgi(revision.id)
    if advice is None:
        st.caption("The command appears once the weights are exported.")
        return
    st.caption("Run this on a machine with a GPU. Then deploy the model on a server that runs elsewhere, named")
    st.code("/data/model", language=None)
    st.code(advice.command, language="bash", wrap_lines=True)
    for problem in advice.problems:
        st.text(problem)


def _actions(view: RevisionView) -> None:
    revision, editor = view.revision, current_actor().can(Role.EDITOR)
    busy = view.weight > 0 or view.shadow > 0
    if revision.state == "failed":
        if st.button(
            "Override gates", key=f"override_{revision.id}", type="tertiary", disabled=not may_override(revision)
        ):
            override_dialog(revision)
    elif revision.state == "stopped":
        if st.button("Start", key=f"start_{revision.id}", icon=":material/play_arrow:", type="tertiary",
                     disabled=not editor):  # fmt: skip
            _start(revision)
    elif st.button(
        "Stop",
        key=f"stop_{revision.id}",
        icon=":material/stop:",
        type="tertiary",
        disabled=not editor or busy,
        help="Move its traffic first." if busy else None,
    ):
        _stop(revision)


def _stop(revision: Revision) -> None:
    with reported_errors():
        current_studio().deployments.stop(current_actor(), revision.id)
        st.rerun()


def _start(revision: Revision) -> None:
    with reported_errors():
        current_studio().deployments.restart(current_actor(), revision.id)
        st.rerun()
