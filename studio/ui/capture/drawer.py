"""One call in a drawer: the conversation as plain text, its facts, and feedback."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from storage.tables import Feedback, LogEntry, Project
from studio.access.actor import Role
from studio.capture.text import content_text
from studio.ui.capture.view import OPENED
from studio.ui.components import status_badge
from studio.ui.formats import ago, milliseconds, money, plain
from studio.ui.state import current_actor, current_studio, reported_errors

ICONS = {"system": ":material/settings:", "developer": ":material/settings:", "tool": ":material/build:"}
WORDS = {"thumbs": "Thumbs", "score": "Score", "comment": "Comment", "correction": "Correction", "metric": "Metric"}


def drawer(project: Project) -> None:
    """Open the call that the address names, if it names one."""
    uid = st.query_params.get(OPENED)
    if not uid:
        return
    with reported_errors():
        _conversation(current_studio().logs.entry(project.id, uid))
        return
    close()


def close() -> None:
    """Forget the open call."""
    st.query_params.pop(OPENED, None)


@st.dialog("Conversation", width="medium", position="right", icon=":material/forum:", on_dismiss=close)
def _conversation(entry: LogEntry) -> None:
    _facts(entry)
    if entry.error:
        st.error(plain(entry.error), icon=":material/error:")
    for message in [*entry.messages, *([entry.reply] if entry.reply else [])]:
        _message(message)
    _feedback(entry)
    _details(entry)


def _facts(entry: LogEntry) -> None:
    about = "estimated" if entry.tokens_estimated else "reported by the server"
    with st.container(horizontal=True, gap="small"):
        status_badge(entry.status)
        st.badge(plain(entry.model or "no model"), color="blue", icon=":material/alternate_email:")
        if entry.served_model not in ("", entry.model):
            st.badge(plain(entry.served_model), color="gray", icon=":material/memory:")
        st.badge(milliseconds(entry.latency_ms), color="gray", icon=":material/timer:")
        st.badge(f"{entry.prompt_tokens:,} + {entry.completion_tokens:,} tokens", color="gray", help=about)
        st.badge(money(entry.cost_usd), color="gray", icon=":material/payments:")
        for name, value in entry.tags.items():
            st.badge(plain(f"{name}={value}"), color="violet", icon=":material/sell:")


def _message(message: dict[str, Any]) -> None:
    """Captured text is shown as text only: it may hold markup, and images that report back when they load."""
    role = str(message.get("role") or "assistant")
    with st.chat_message(role if role in ("user", "assistant") else "tool", avatar=ICONS.get(role)):
        st.caption(plain(role))
        _text(content_text(message.get("content")) or str(message.get("refusal") or ""))
        for call in message.get("tool_calls") or []:
            function = call.get("function") or {} if isinstance(call, dict) else {}
            st.code(f"{function.get('name', '')}({function.get('arguments', '')})", language=None, wrap_lines=True)


def _text(text: str) -> None:
    if text[:1] in "{[" and _is_json(text):
        st.code(text, language="json", wrap_lines=True)
    elif text:
        st.text(text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _feedback(entry: LogEntry) -> None:
    for given in current_studio().logs.feedback_of(entry):
        _given(given)
    if current_actor().can(Role.LABELER):
        _give(entry)


def _given(given: Feedback) -> None:
    value = ("up" if given.value else "down") if given.kind == "thumbs" else given.value
    said = " ".join(str(part) for part in (given.name, value) if part not in (None, ""))
    who = f"by {given.given_by}" if given.given_by else f"by {given.source}"
    st.caption(f"**{WORDS.get(given.kind, given.kind)}** {plain(said)} {plain(who)}, {ago(given.created_at)}")
    if given.text:
        _text(given.text)


def _give(entry: LogEntry) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for label, icon, value in (("Good", "thumb_up", 1), ("Bad", "thumb_down", 0)):
            if st.button(label, icon=f":material/{icon}:", key=f"rate_{value}"):
                _save(entry, kind="thumbs", value=float(value))
        with st.popover("Correct the reply", icon=":material/edit:", key="correct"):
            text = st.text_area("What it should have said", value=entry.correction or entry.reply_text, height=200)
            if st.button("Save correction", type="primary", key="save_correction"):
                _save(entry, kind="correction", text=text)


def _save(entry: LogEntry, **said: Any) -> None:
    actor = current_actor()
    with reported_errors():
        give = current_studio().feedback.give
        give(entry.project_id, uid=entry.uid, given_by=actor.username, source="studio", actor=actor, **said)
        st.rerun()


def _details(entry: LogEntry) -> None:
    with st.expander("Details", icon=":material/info:", key="call_details"):
        facts = {
            "log id": entry.uid,
            "answer id": entry.external_id,
            "time": entry.created_at.isoformat(),
            "source": entry.source,
            "HTTP status": entry.http_status,
            "streamed": entry.stream,
            "first token, ms": entry.first_token_ms,
            "finish reason": entry.finish_reason,
            "parameters": entry.params,
            "tools": entry.tools,
        }
        shown = {name: value for name, value in facts.items() if value not in (None, "", {}, [])}
        st.code(json.dumps(shown, indent=2, ensure_ascii=False, default=str), language="json", wrap_lines=True)
