"""A first mapping of columns, from their names and values; people correct it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from studio.capture.importers.fields import json_of, moment, number, rating, text_of
from studio.capture.importers.port import Refused

NAMES: dict[str, tuple[str, ...]] = {
    "messages": ("messages", "conversation", "conversations", "chat", "chat_history", "turns", "dialogue", "dialog"),
    "system": ("system", "system_prompt", "system_message", "instructions"),
    "prompt": (
        *("prompt", "question", "query", "user_message", "user_prompt", "user_input", "input", "instruction"),
        *("input_text", "request", "ticket", "message", "utterance", "user", "text", "source", "problem"),
    ),
    "reply": (
        *("reply", "response", "answer", "completion", "output", "assistant", "model_output", "output_text"),
        *("generated_text", "generation", "ai_response", "assistant_message", "bot", "prediction", "target", "result"),
        "label",
    ),
    "correction": (
        *("correction", "corrected", "corrected_output", "corrected_answer", "expected", "expected_output"),
        *("reference", "gold", "golden", "ground_truth", "ideal", "chosen", "edited", "human_answer"),
    ),
    "rejected": ("rejected", "rejected_response", "rejected_answer", "worse"),
    "rating": ("rating", "thumbs", "feedback", "feedback_rating", "thumb", "vote", "liked", "helpful", "is_good"),
    "score": ("score", "stars", "grade", "quality", "points", "csat", "nps"),
    "comment": ("comment", "comments", "note", "notes", "remark", "feedback_text", "reason"),
    "model": ("model", "model_name", "model_id", "engine", "llm", "request_model"),
    "time": (
        "time",
        "timestamp",
        "created_at",
        "created",
        "date",
        "datetime",
        "start_time",
        "requested_at",
        "when",
        "day",
        "at",
    ),
    "external_id": ("id", "external_id", "request_id", "call_id", "row_id", "uuid", "record_id", "message_id"),
    "user": ("user_id", "userid", "customer_id", "end_user", "account_id", "username"),
    "session": ("session_id", "session", "conversation_id", "thread_id", "chat_id"),
    "trace": ("trace_id", "traceid"),
    "latency_ms": ("latency_ms", "latency", "duration_ms", "response_time_ms", "response_time", "delay_ms", "took_ms"),
    "latency_s": ("latency_s", "latency_seconds", "duration_s", "duration_seconds", "seconds", "duration", "elapsed"),
    "cost_usd": ("cost_usd", "cost", "price", "usd", "total_cost", "spend", "cost_dollars"),
    "cost_cents": ("cost_cents", "cents", "cost_in_cents", "price_cents"),
    "prompt_tokens": ("prompt_tokens", "input_tokens", "tokens_in", "request_tokens"),
    "completion_tokens": ("completion_tokens", "output_tokens", "tokens_out", "response_tokens", "generated_tokens"),
    "tools": ("tools", "functions"),
}
NUMBERS = frozenset(
    {"score", "latency_ms", "latency_s", "cost_usd", "cost_cents", "prompt_tokens", "completion_tokens"}
)
TEXTS = frozenset({"prompt", "reply", "correction", "rejected", "system", "comment"})
MOST_TAG_VALUES = 20
LONGEST_TAG = 60
SHORTEST_TEXT = 12
MOSTLY = 0.6
"""Share of values that must be what the name says: a few odd cells spoil their rows, not the guess."""


def guessed(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """What each column seems to be."""
    values = {name: _values(rows, name) for name in columns}
    mapping = _by_name(values)
    _by_length(mapping, values)
    if "messages" in mapping:
        mapping = {role: names for role, names in mapping.items() if role != "prompt"}
    taken = {name for names in mapping.values() for name in names}
    tags = [name for name in columns if name not in taken and _is_tag(values[name])]
    return mapping | ({"tags": tags} if tags else {})


def _by_name(values: dict[str, list[Any]]) -> dict[str, list[str]]:
    """Roles whose usual names a column bears, and whose values fit: the whole name first, then a part of it."""
    mapping: dict[str, list[str]] = {}
    taken: set[str] = set()
    for fits in (_same, _ends, _begins):
        for role, names in NAMES.items():
            free = [column for column in values if column not in taken and _suits(role, values[column])]
            if fits is not _same and role in ("prompt", "reply"):
                free = [column for column in free if _length(values[column]) >= SHORTEST_TEXT]
            found = next((column for name in names for column in free if fits(column, name)), None)
            if found is not None and role not in mapping:
                mapping[role] = [found]
                taken.add(found)
    return mapping


def _by_length(mapping: dict[str, list[str]], values: dict[str, list[Any]]) -> None:
    """Where no name tells: of what is left, the long texts are the prompt and, behind it, the reply."""
    if "messages" in mapping:
        return
    taken = {name for names in mapping.values() for name in names}
    texts = [name for name in values if name not in taken and _length(values[name]) >= SHORTEST_TEXT]
    for role in ("prompt", "reply"):
        if role not in mapping and texts:
            mapping[role] = [texts.pop(0)]


def _same(column: str, name: str) -> bool:
    return _plain(column) == name


def _ends(column: str, name: str) -> bool:
    return len(name) > 3 and _plain(column).endswith(f"_{name}")


def _begins(column: str, name: str) -> bool:
    return len(name) > 3 and _plain(column).startswith(f"{name}_") and name not in NAMES["prompt"] + NAMES["reply"]


def _plain(column: str) -> str:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def _values(rows: Sequence[dict[str, Any]], name: str) -> list[Any]:
    return [value for row in rows if (value := row.get(name)) is not None and value != ""]


def _suits(role: str, values: list[Any]) -> bool:
    """Whether the values may be that; a column without values may be what its name says."""
    if role == "messages":
        return all(_are_turns(value) for value in values)
    if role in TEXTS:
        return not all(isinstance(value, int | float) for value in values) or not values or role == "reply"
    if role == "model":
        return all(len(text_of(value)) < 200 for value in values)
    reader = number if role in NUMBERS else {"time": moment, "rating": rating}.get(role)
    return reader is None or not values or sum(_reads(reader, value) for value in values) >= MOSTLY * len(values)


def _reads(reader: Any, value: Any) -> bool:
    try:
        return reader(value, "") is not None
    except Refused:
        return False


def _are_turns(value: Any) -> bool:
    found = json_of(value)
    turns = found if isinstance(found, list) else []
    return bool(turns) and all(isinstance(item, dict) and ("role" in item or "from" in item) for item in turns)


def _length(values: list[Any]) -> float:
    texts = [value for value in values if isinstance(value, str) and not _reads(number, value)]
    return sum(map(len, texts)) / len(values) if values and len(texts) == len(values) else 0.0


def _is_tag(values: list[Any]) -> bool:
    """Few, short and repeated values, or an object of facts."""
    found = [json_of(value) for value in values]
    if found and all(isinstance(value, dict) for value in found):
        return True
    texts = {text_of(value) for value in found}
    return bool(texts) and len(texts) <= MOST_TAG_VALUES and max(map(len, texts)) <= LONGEST_TAG
