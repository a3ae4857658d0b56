"""Langfuse's scores as feedback."""

from __future__ import annotations

from typing import Any

from studio.capture.importers.fields import first, moment, number, text_of
from studio.capture.importers.port import Said

THUMBS = frozenset({"thumbs", "user-feedback", "user_feedback", "feedback", "thumbs-up", "like"})
DATA_TYPES = frozenset({"NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT", "CORRECTION"})
OUTPUT = "output"


def is_score(row: dict[str, Any]) -> bool:
    """Whether a row (names_like_this) is a score on its own."""
    has_value = "value" in row or "string_value" in row
    typed = row.get("data_type") in DATA_TYPES or ("trace_id" in row and "source" in row)
    return "name" in row and has_value and typed and "input" not in row


def scores(found: list[dict[str, Any]], target: dict[str, str]) -> list[Said]:
    """The feedback in these scores; what names no call of its own is about `target`."""
    return [said for score in found for said in _said(score, target)]


def _said(score: dict[str, Any], target: dict[str, str]) -> list[Said]:
    made, own = _value(score), text_of(score.get("id"))[:150]
    if (comment := text_of(score.get("comment")).strip()) and (not made or made.text != comment):
        told = [Said("comment", text=comment, name=text_of(score.get("name"))[:120], id=own and f"{own}-comment")]
    else:
        told = []
    both = [*([made] if made else []), *told]
    for said in both:
        said.id = said.id or own
        said.target = _target(score) or target
        said.given_by = text_of(first(score, "author_user_id", "author_name"))[:200]
        said.at = moment(first(score, "timestamp", "created_at"), "timestamp")
    return both


def _target(score: dict[str, Any]) -> dict[str, str]:
    if observation := text_of(score.get("observation_id")):
        return {"external_id": observation[:200]}
    trace = text_of(score.get("trace_id"))
    return {"trace_id": trace[:200]} if trace else {}


def _value(score: dict[str, Any]) -> Said | None:
    kind, name = text_of(score.get("data_type")).upper(), text_of(score.get("name"))[:120]
    value = score.get("value")
    words = text_of(first(score, "string_value") or (value if isinstance(value, str) else None)).strip()
    if kind == "CORRECTION":
        return _correction(name, words)
    if kind in ("CATEGORICAL", "TEXT") or (kind == "" and words and not _is_number(words)):
        return Said("comment", text=words, name=name) if words else None
    figure = float(value) if isinstance(value, bool) else number(value, "value")
    if figure is None:
        return None
    if name.lower() in THUMBS and figure in (0, 1):
        return Said("thumbs", figure, name=name)
    return Said("metric", figure, name=name)


def _correction(name: str, words: str) -> Said | None:
    """The correction named output is the corrected answer; others are remarks."""
    if not words:
        return None
    return Said("correction", text=words) if name.lower() == OUTPUT else Said("comment", text=words, name=name)


def _is_number(words: str) -> bool:
    try:
        float(words)
    except ValueError:
        return False
    return True
