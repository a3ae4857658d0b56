"""What a key may do, until when, and how much in a minute: the fields of its dialogs."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from storage.tables import ApiKey
from storage.types import now
from studio.access.keys import ALL_BUT_READ, SCOPES, Allowed, allowed_scopes
from studio.ui.formats import span

DAYS = {0: "Never", 30: "In 30 days", 90: "In 90 days", 365: "In a year"}
KEPT = -1


def allowed_fields(key: ApiKey | None = None) -> Allowed:
    """Scopes, expiry and limits as they are filled in."""
    chosen = st.multiselect(
        "May",
        list(SCOPES),
        [scope for scope in SCOPES if scope in (allowed_scopes(key) if key else ALL_BUT_READ)],
        format_func=SCOPES.__getitem__,
        key="key_scopes",
    )
    choices = {KEPT: "As it is", **DAYS} if key else DAYS
    days = st.selectbox("Expires", list(choices), format_func=choices.__getitem__, key="key_days")
    left, right = st.columns(2)
    calls = left.number_input(
        "Calls a minute", 1, None, key.calls_per_minute if key else None, placeholder="no limit", key="key_calls"
    )
    tokens = right.number_input(
        "Tokens a minute", 1, None, key.tokens_per_minute if key else None, placeholder="no limit", key="key_tokens"
    )
    st.caption("Limits count calls to models, in each gateway process by itself. Above them callers get a 429.")
    kept = key.expires_at if key and days == KEPT else None
    return Allowed(tuple(chosen), now() + timedelta(days=days) if days and days > 0 else kept, calls, tokens)


def may(key: ApiKey) -> str:
    """What the key may do, and until when, in a few words."""
    scopes = allowed_scopes(key)
    words = ["may all but read" if scopes == ALL_BUT_READ else "may " + ", ".join(s for s in SCOPES if s in scopes)]
    for limit, of in ((key.calls_per_minute, "calls"), (key.tokens_per_minute, "tokens")):
        if limit is not None:
            words.append(f"{limit:,} {of} a minute")
    if key.expires_at is not None:
        left = (key.expires_at - now()).total_seconds()
        words.append(f"expires in {span(left)}" if left > 0 else "expired")
    return ", ".join(words)
