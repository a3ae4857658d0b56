"""One call in a drawer: what was said, its figures, raw JSON, related calls, and feedback; on to the next one."""

from __future__ import annotations

import streamlit as st

from storage.tables import LogEntry, Project
from studio.errors import NotFound
from studio.ui.capture import place, questions
from studio.ui.capture.address import toggled
from studio.ui.capture.conversation import conversation
from studio.ui.capture.facts import details, facts_of
from studio.ui.capture.listing import SHOWN
from studio.ui.capture.parts import part, told
from studio.ui.capture.raw import raw
from studio.ui.capture.related import related
from studio.ui.capture.said import feedback
from studio.ui.components import status_badge
from studio.ui.formats import ago, plain
from studio.ui.state import current_studio, reported_errors

PANELS = {"talk": "Conversation", "raw": "Raw", "related": "Related", "facts": "Details"}
KEY = "open_call"

_CALL = part("call")


def drawer(project: Project) -> None:
    """Open the call that the address names, if it names one."""
    uid = place.one("call")
    if not uid:
        return
    with reported_errors():
        current_studio().logs.entry(project.id, uid)
        _drawer(project)
        return
    close()


def close() -> None:
    """Forget the open call."""
    place.set_one("call")
    place.set_one("panel")


@st.dialog("Call", width="medium", position="right", icon=":material/forum:", on_dismiss=close)
def _drawer(project: Project) -> None:
    """The call that the address names now: the buttons change the address, and this draws itself anew."""
    try:
        entry = current_studio().logs.entry(project.id, place.one("call"))
    except NotFound as error:
        st.error(plain(error.message), icon=":material/error:")
        return
    _header(project, entry)
    panel = _panels()
    before = questions.before(entry) if panel == "talk" else None
    data = {
        "facts": facts_of(entry),
        "tags": [[name, str(value)] for name, value in entry.tags.items()],
        "error": entry.error or "",
        "messages": conversation(entry, before) if panel == "talk" else None,
    }
    _CALL(key=KEY, data=data, on_tag_change=_tag)
    if panel == "talk":
        feedback(entry)
    else:
        {"raw": raw, "related": related, "facts": details}[panel](entry)


def _header(project: Project, entry: LogEntry) -> None:
    uids, more = st.session_state.get(SHOWN, ([], None))
    at = uids.index(entry.uid) if entry.uid in uids else -1
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        status_badge(entry.status)
        st.markdown(f"**{plain(entry.model or 'no model')}**", width="content")
        st.caption(ago(entry.created_at), width="stretch")
        with st.container(horizontal=True, gap="small", width="content"):
            _step("Previous", "K", "keyboard_arrow_up", uids[at - 1] if at > 0 else "", project)
            following = uids[at + 1] if 0 <= at < len(uids) - 1 else ""
            _step("Next", "J", "keyboard_arrow_down", following, project, turns=at == len(uids) - 1 and bool(more))


def _step(name: str, key: str, icon: str, uid: str, project: Project, turns: bool = False) -> None:
    st.button(
        name,
        key=f"call_{name.lower()}",
        icon=f":material/{icon}:",
        type="tertiary",
        shortcut=key,
        disabled=not (uid or turns),
        on_click=_go,
        args=(uid, project),
    )


def _go(uid: str, project: Project) -> None:
    """Open another call; after the last one of the page, the first one of the next page."""
    if uid:
        place.set_one("call", uid)
        return
    place.turn(st.session_state.get(SHOWN, ([], None))[1])
    page = current_studio().explorer.page(place.criteria(project), place.order(), place.one("after") or None)
    st.session_state[SHOWN] = ([row.uid for row in page.rows], page.next)
    if page.rows:
        place.set_one("call", page.rows[0].uid)


def _panels() -> str:
    shown = place.one("panel") if place.one("panel") in PANELS else "talk"
    if st.session_state.get("call_panel") != shown:
        st.session_state["call_panel"] = shown
    st.segmented_control(
        "Part",
        list(PANELS),
        key="call_panel",
        format_func=PANELS.__getitem__,
        label_visibility="collapsed",
        required=True,
        on_change=_take_panel,
    )
    return shown


def _take_panel() -> None:
    chosen = st.session_state["call_panel"]
    place.set_one("panel", "" if chosen == "talk" else chosen)


def _tag() -> None:
    """Filter by a tag of the call, and close it."""
    tag = told(KEY, "tag")
    if tag:
        pair = f"{tag.get('name')}={tag.get('value')}"
        query = place.here()
        if pair not in query.get("tag", []):
            query = toggled(query, f"tag:{tag.get('name')}", str(tag.get("value")))
        place.go({name: values for name, values in query.items() if name not in ("call", "panel")})
