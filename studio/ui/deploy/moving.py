"""The traffic slider: any share for any ready revision, or every share by hand, always with a confirm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from studio.access.actor import Role
from studio.deploy.overview import Overview, RevisionView
from studio.deploy.rollout import shifted
from studio.errors import StudioError
from studio.ui.deploy.confirming import Change, confirm
from studio.ui.deploy.naming import heaviest_first, route_names, route_of, short_names, split_in_words
from studio.ui.formats import plain
from studio.ui.state import current_actor, current_studio, reported_errors
from studio.ui.train.unfold import unfold

Routes = list[dict[str, Any]]


def move_traffic(found: Overview) -> None:
    """The slider for one revision; the others share the rest as before."""
    if not found.revisions:
        return
    with unfold("Move traffic", icon="swap_horiz", key="move_traffic") as opened:
        if not opened:
            return
        view = _choose(found)
        shares, unseen = st.columns(2, gap="medium")
        with shares:
            _preview(found, view, _slider(found, view))
        with unseen:
            if is_shadowable(found, view):
                copies(found, view)
        if len(_routes(found)) > 1:
            _every_share(found)


def _routes(found: Overview) -> Routes:
    return list(found.release.routes) if found.release else []


def _choose(found: Overview) -> RevisionView:
    names, views = route_names(found), {view.revision.id: view for view in found.revisions}
    chosen = st.selectbox(
        "Revision", list(views), format_func=lambda key: f"{names[key]} · {views[key].revision.state}", key="move_which"
    )
    return views[str(chosen)]


def _slider(found: Overview, view: RevisionView) -> int:
    allowed = is_movable(view) and current_actor().can(Role.EDITOR)
    if not is_movable(view):
        why = view.revision.error or f"It is {view.revision.state}."
        st.markdown(f":red[:material/block:] {plain(f'It cannot have traffic: {why}')}")
    key = f"move_percent_{view.revision.id}_{found.release.number if found.release else 0}"
    return st.slider(
        "Share of the calls (%)", 0, 100, round(view.weight), key=key, disabled=not allowed, format="%d %%"
    )


def is_movable(view: RevisionView) -> bool:
    """Whether its share may change: it is ready, or has something to lose."""
    return view.revision.state == "ready" or view.weight > 0


def is_shadowable(found: Overview, view: RevisionView) -> bool:
    """Whether it may answer copies of what others answer."""
    return view.revision.state == "ready" and view.weight == 0 and any(share.weight for share in found.shares)


def copies(found: Overview, view: RevisionView) -> None:
    """Any share of copies, for nobody to see; nothing changes for callers, so it asks no question."""
    number = found.release.number if found.release else 0
    percent = st.slider(
        "Or copies of the calls, for nobody to see (%)",
        0,
        100,
        round(view.shadow),
        key=f"shadow_percent_{view.revision.id}_{number}",
        format="%d %%",
        disabled=not current_actor().can(Role.EDITOR),
    )
    label = "Stop copying" if percent == 0 and view.shadow else f"Shadow {percent} %"
    if st.button(label, icon=":material/visibility_off:", key="shadow", disabled=percent == round(view.shadow)):
        with reported_errors():
            current_studio().deployments.shadow(current_actor(), view.revision.id, percent)
            st.rerun()


def _preview(found: Overview, view: RevisionView, percent: int) -> None:
    routes, why = after(found, view, percent)
    changed = percent != round(view.weight)
    names = route_names(found)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        clicked = st.button("Move traffic", icon=":material/swap_horiz:", key="move", disabled=not (changed and routes))
        st.caption(plain(why or f"Then: {split_in_words(routes, names)}."), width="stretch")
    if clicked:
        confirm(shift_change(found, view, percent, routes))


def after(found: Overview, view: RevisionView, percent: float) -> tuple[Routes, str]:
    """The split that moving would make, or why there is none."""
    try:
        return shifted(_routes(found), view.revision, percent), ""
    except StudioError as error:
        return [], error.message


def shift_change(found: Overview, view: RevisionView, percent: float, routes: Routes) -> Change:
    """One revision's new share, in words and as an act."""
    deployments, actor, names = current_studio().deployments, current_actor(), route_names(found)
    name = names[view.revision.id]
    return Change(
        title="Move traffic?",
        sentence=f"{name} goes from {view.weight:g} % to {percent:g} % of the calls to {found.deployment.alias}. "
        f"Then: {split_in_words(routes, names)}.",
        button="Move traffic",
        gaining=(view,) if percent > view.weight else (),
        act=lambda reason: deployments.shift(actor, view.revision.id, percent, reason),
    )


def _every_share(found: Overview) -> None:
    names, number = short_names(found), found.release.number if found.release else 0
    st.caption("Or set every share; together they make 100 %.")
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        wanted = [
            {
                **route,
                "weight": st.number_input(
                    plain(names[route_of(route)]),
                    0.0,
                    100.0,
                    float(route["weight"]),
                    format="%g",
                    key=f"share_{route_of(route)}_{number}",
                    width=220,
                ),
            }
            for route in heaviest_first(_routes(found))
        ]
        clicked = st.button("Set shares", key="set_shares", disabled=not current_actor().can(Role.EDITOR))
    total = sum(route["weight"] for route in wanted)
    if abs(total - 100) > 0.01:
        st.markdown(f":red[Together they make {total:g} %, not 100 %.]")
    elif clicked:
        confirm(release_change(found, wanted, route_names(found)))


def release_change(found: Overview, wanted: Routes, names: Mapping[str, str]) -> Change:
    """Every share at once, in words and as an act."""
    deployments, actor = current_studio().deployments, current_actor()
    before = {route_of(route): float(route["weight"]) for route in _routes(found)}
    gaining = {route_of(route) for route in wanted if route["weight"] > before.get(route_of(route), 0)}
    split = split_in_words(wanted, names)
    return Change(
        title="Set every share?",
        sentence=f"Calls to {found.deployment.alias} will be answered like this: {split}.",
        button="Set shares",
        gaining=tuple(view for view in found.revisions if view.revision.id in gaining),
        act=lambda reason: deployments.release(actor, found.deployment.id, wanted, reason or split),
    )
