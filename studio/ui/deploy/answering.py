"""Who answers now: the split, shadows and standbys, who approved it, and the way back."""

from __future__ import annotations

import streamlit as st

from studio.access.actor import Role
from studio.deploy.overview import Overview, Share
from studio.ui.deploy.naming import route_names, share_in_words, split_in_words
from studio.ui.formats import ago, plain
from studio.ui.state import current_actor, current_studio, reported_errors


def who_answers(found: Overview) -> None:
    """The split in force with its reason, and Undo with what it goes back to."""
    with st.container(border=True, gap="small", height="stretch", key="who_answers"):
        st.markdown("**Who answers**")
        for share in found.shares:
            _share(share)
        _shadows(found)
        if not found.shares:
            st.caption("No call is answered under this alias yet: promote a ready revision.")
        _approved(found)
        _way_back(found)


def _share(share: Share) -> None:
    note = "" if share.usable else " · :orange[not answering now, others answer for it]"
    st.progress(share.weight / 100, text=f"{plain(share.name)} · {share_in_words(share.weight)}{note}")


def _shadows(found: Overview) -> None:
    for shadow in found.shadows:
        note = "" if shadow.usable else " :orange[(not answering now)]"
        st.markdown(
            f":material/visibility_off: {plain(shadow.name)} shadows {shadow.percent:g} % of the calls{note}",
            help="It answers copies of calls. Nobody sees those answers, and no call waits for them.",
        )


def _approved(found: Overview) -> None:
    release = found.release
    if release:
        who = f"by {plain(release.created_by)}" if release.created_by else "by itself"
        st.caption(f"Release {release.number} · {who} · {ago(release.created_at)} · {plain(release.reason)}")


def _way_back(found: Overview) -> None:
    goal = found.undoable
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        allowed = goal is not None and current_actor().can(Role.EDITOR)
        clicked = st.button("Undo", icon=":material/undo:", key="undo", disabled=not allowed)
        st.caption(plain(undo_in_words(found)), width="stretch")
    if clicked:
        with reported_errors():
            current_studio().deployments.undo(current_actor(), found.deployment.id)
            st.rerun()


def undo_in_words(found: Overview) -> str:
    """What Undo goes back to, and whether at once."""
    if found.undoable is None:
        return "There is no earlier split to go back to."
    split = split_in_words(found.undoable.routes, route_names(found))
    needed = {route["revision_id"] for route in found.undoable.routes if route["weight"]}
    cold = [view.revision for view in found.revisions if view.revision.id in needed and view.revision.state != "ready"]
    when = f"once revision {cold[0].number} runs again" if cold else "at once"
    return f"Goes back to release {found.undoable.number}, {when}: {split}."
