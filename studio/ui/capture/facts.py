"""The figures of one call, and everything else that is known about it."""

from __future__ import annotations

import json

import streamlit as st

from storage.tables import LogEntry
from studio.ui.formats import milliseconds, money

Fact = dict[str, str]


def facts_of(entry: LogEntry) -> list[Fact]:
    """Label, value and hint of the figures that every call has, and of those this one has."""
    counted = "Estimated: the server told no usage" if entry.tokens_estimated else "As the server reported"
    found = [
        _fact(
            "Latency",
            milliseconds(entry.latency_ms) if entry.latency_ms else "–",
            "From the request to the answer's end",
        )
    ]
    if entry.first_token_ms is not None:
        found.append(_fact("First token", milliseconds(entry.first_token_ms), "From the request to the first token"))
    if speed := tokens_per_second(entry):
        found.append(_fact("Speed", f"{speed:,.0f} tok/s", "Answer tokens per second after the first token"))
    mark = "~" if entry.tokens_estimated else ""
    found += [
        _fact("Prompt", f"{mark}{entry.prompt_tokens:,} tok", counted),
        _fact("Answer", f"{mark}{entry.completion_tokens:,} tok", counted),
        _fact("Cost", money(entry.cost_usd), "At the prices of the provider when the call was made"),
    ]
    if entry.finish_reason:
        found.append(_fact("Ended", entry.finish_reason, "Why the answer ended"))
    return found


def tokens_per_second(entry: LogEntry) -> float:
    """Answer tokens per second of writing; 0 where it cannot be told."""
    writing = entry.latency_ms - (entry.first_token_ms or 0)
    return entry.completion_tokens / writing * 1000 if entry.completion_tokens > 1 and writing >= 1 else 0.0


def details(entry: LogEntry) -> None:
    """Names, ids and parameters, as JSON that can be copied."""
    facts = {
        "log id": entry.uid,
        "answer id": entry.external_id,
        "time": entry.created_at.isoformat(),
        "source": entry.source,
        "endpoint": entry.endpoint,
        "asked for": entry.model,
        "answered by": entry.served_model,
        "HTTP status": entry.http_status,
        "streamed": entry.stream,
        "tokens are estimated": entry.tokens_estimated,
        "language": entry.language,
        "trace": entry.trace_id,
        "span": entry.span_id,
        "parent span": entry.parent_span_id,
        "session": entry.session_id,
        "user": entry.user_id,
        "taken out before it was written": entry.redactions,
        "tags": entry.tags,
        "parameters": entry.params,
    }
    shown = {name: value for name, value in facts.items() if value not in (None, "", {}, [])}
    st.code(json.dumps(shown, indent=2, ensure_ascii=False, default=str), language="json", wrap_lines=True)


def _fact(label: str, value: str, hint: str) -> Fact:
    return {"label": label, "value": value, "hint": hint}
