"""Request and answer of a call as JSON, to copy."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from storage.tables import LogEntry

LONGEST = 150_000
"""Characters of JSON that a browser draws without a pause; Export has the rest."""


def raw(entry: LogEntry) -> None:
    """Both, as they were written down: secrets and personal data are out, answers are in chat form."""
    st.caption("Request, as it was written down")
    _json(
        {
            "model": entry.model,
            "messages": entry.messages,
            **({"tools": entry.tools} if entry.tools else {}),
            **entry.params,
        }
    )
    st.caption("Answer")
    _json(answer_of(entry))


def answer_of(entry: LogEntry) -> dict[str, Any]:
    """The answer with its usage."""
    choices = entry.choices or [{"index": 0, "message": entry.reply, "finish_reason": entry.finish_reason}]
    usage = {"prompt_tokens": entry.prompt_tokens, "completion_tokens": entry.completion_tokens}
    found: dict[str, Any] = {"id": entry.external_id, "model": entry.served_model, "choices": choices, "usage": usage}
    return {"error": entry.error, **found} if entry.error else found


def _json(value: Any) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    st.code(text[:LONGEST], language="json", wrap_lines=True, height=420 if text.count("\n") > 22 else "content")
    if len(text) > LONGEST:
        st.caption(f"{len(text) - LONGEST:,} more characters. Export the call to get all of it.")
