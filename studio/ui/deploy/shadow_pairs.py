"""Shadow pairs: calls answered twice, side by side; and people's verdict on them, one click away."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from storage.tables import ShadowPair
from studio.access.actor import Role
from studio.deploy.overview import Overview
from studio.deploy.shadows import ShadowSummary
from studio.ui.components import metric_row
from studio.ui.deploy.dialogs import page_dialog
from studio.ui.deploy.naming import route_names
from studio.ui.formats import ago, milliseconds, percent, plain
from studio.ui.navigation import page_path
from studio.ui.state import current_actor, current_studio, reported_errors

SHOWN = 20
WHOLE_PROMPT = 2_000


def shadow_pairs(found: Overview) -> None:
    """Choose a shadow, see how it did, read where it differs, ask people."""
    names = {view.revision.id: route_names(found)[view.revision.id] for view in found.revisions}
    newest = current_studio().shadows.pairs(found.deployment.id, 1)
    if not newest:
        st.caption("No call was answered twice yet. Let a revision shadow some calls, and both answers appear here.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        first = list(names).index(newest[0].revision_id) if newest[0].revision_id in names else 0
        chosen = str(
            st.selectbox("Shadow", list(names), first, format_func=names.__getitem__, key="pairs_of", width=360)
        )
        differing = st.toggle("Only where they differ", True, key="pairs_differ")
        st.space("stretch")
        if st.button(
            "Send to teammates", icon=":material/send:", key="pairs_send", disabled=not current_actor().can(Role.EDITOR)
        ):
            send_dialog(found, chosen)
    _summary(current_studio().shadows.summary(found.deployment.id, chosen))
    pairs = current_studio().shadows.pairs(found.deployment.id, SHOWN, chosen, only_different=differing)
    if not pairs:
        st.caption("They never differed." if differing else "This revision has answered no copies of calls.")
    for pair in pairs:
        _pair(pair, route_names(found))


def _summary(told: ShadowSummary) -> None:
    if told.n:
        metric_row(summary_cells(told))


def summary_cells(told: ShadowSummary) -> list[tuple[str, str, str]]:
    """Calls, same answers with their interval, errors, medians, valid JSON."""
    same = "–" if told.same_share is None else percent(told.same_share)
    span = f"95 % interval {percent(told.same_low)} to {percent(told.same_high)}, n={told.answered:,}"
    cells = [
        ("Calls answered twice", f"{told.n:,}", "The newest 5,000 of the last 30 days."),
        ("Same answer", same, span),
        ("Shadow gave no answer", f"{told.errors:,}", "Timeouts and errors of the shadow; callers noticed nothing."),
        ("Median, live", _ms(told.live_ms), "Of the calls that both answered."),
        ("Median, shadow", _ms(told.shadow_ms), "Of the calls that both answered."),
    ]
    if told.live_json or told.shadow_json:
        text = "Answers that are JSON objects, of the calls that both answered."
        cells.append(("JSON, live → shadow", f"{told.live_json:,} → {told.shadow_json:,}", text))
    return cells


def _ms(value: float | None) -> str:
    return "–" if value is None else milliseconds(value)


def _pair(pair: ShadowPair, names: Mapping[str, str]) -> None:
    with st.container(border=True, gap="xsmall", key=f"pair_{pair.id}"):
        st.caption(f"{ago(pair.created_at)} · call {plain(pair.log_uid)}")
        st.text(asked(pair))
        live, shadow = st.columns(2, gap="small")
        with live:
            _answer(names.get(pair.live_route, "Live"), pair.live_ms, pair.live_text, None)
        with shadow:
            _answer(names.get(pair.revision_id, "Shadow"), pair.shadow_ms, pair.shadow_text, pair.error)


def asked(pair: ShadowPair) -> str:
    """What the user said last, cut where it is very long."""
    said = [str(each.get("content") or "") for each in pair.messages if each.get("role") == "user"]
    text = said[-1] if said else ""
    return text if len(text) <= WHOLE_PROMPT else f"{text[:WHOLE_PROMPT]}…"


def _answer(name: str, ms: float, text: str, error: str | None) -> None:
    st.markdown(f"**{plain(name)}** :gray[· {milliseconds(ms)}]")
    if error:
        st.error(plain(error), icon=":material/error:")
    else:
        st.code(text or "(an empty answer)", language=None, wrap_lines=True)


@page_dialog("Send to teammates", icon=":material/send:")
def send_dialog(found: Overview, revision_id: str) -> None:
    """Into which dataset, and to how many people."""
    datasets = {each.id: each.name for each in current_studio().datasets.all(found.deployment.project_id)}
    st.caption("Teammates say which answer is better, blind to whose it is. What they prefer becomes preference pairs.")
    if not datasets:
        st.markdown("Make a dataset first: the calls are added to it.")
        st.page_link(page_path("curate"), label="Open Curate", icon=":material/arrow_forward:", icon_position="right")
        return
    chosen = st.selectbox("Add the calls to", list(datasets), format_func=datasets.__getitem__, key="pairs_dataset")
    size = st.number_input("Calls that differ, at most", 1, 1_000, 60, key="pairs_size")
    people = st.multiselect("Who", current_studio().labeling.teammates(), key="pairs_people", placeholder="Everybody")
    if st.button("Send", type="primary", key="pairs_confirm"):
        with reported_errors():
            current_studio().shadows.to_label(
                current_actor(), found.deployment.id, revision_id, str(chosen), size=int(size), people=people
            )
            st.switch_page(page_path("label"))
