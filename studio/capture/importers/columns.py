"""Rows with columns of their own: a mapping says what each column is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from studio.capture.importers import chat
from studio.capture.importers.fields import (
    amount,
    count,
    id_of,
    json_of,
    known,
    list_of,
    moment,
    number,
    rating,
    text_of,
)
from studio.capture.importers.port import Call, Refused, Said
from studio.capture.importers.sharegpt import turn
from studio.capture.tags import clean_tags
from studio.errors import InvalidInput

ROLES: dict[str, str] = {
    "prompt": "Prompt: what the user asked",
    "system": "System prompt",
    "reply": "Reply: what the model answered",
    "messages": "Messages: the whole conversation as JSON",
    "correction": "Correction: the right answer",
    "rejected": "Rejected: a worse answer",
    "rating": "Rating: thumbs up or down",
    "score": "Score: a number",
    "comment": "Comment",
    "model": "Model",
    "time": "Time",
    "tags": "Tag",
    "external_id": "Id: the same row is never imported twice",
    "user": "User",
    "session": "Session or conversation",
    "trace": "Trace id",
    "latency_ms": "Latency in milliseconds",
    "latency_s": "Latency in seconds",
    "cost_usd": "Cost in dollars",
    "cost_cents": "Cost in cents",
    "prompt_tokens": "Tokens of the prompt",
    "completion_tokens": "Tokens of the reply",
    "tools": "Tools as JSON",
}
SEVERAL = frozenset({"prompt", "system", "tags"})
"""What several columns may be: prompts are put together, each tag is its own."""

ColumnMapping = Mapping[str, list[str]]
"""What something is → the columns it comes from."""


def read_mapping(found: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """A mapping from outside. Raises InvalidInput with the fix."""
    mapping: dict[str, list[str]] = {}
    for role, columns in (found or {}).items():
        if role not in ROLES:
            raise InvalidInput(f"Nothing can be mapped to {role!r}. There are: {', '.join(ROLES)}.")
        named = [columns] if isinstance(columns, str) else [str(column) for column in columns]
        if len(named) > 1 and role not in SEVERAL:
            raise InvalidInput(f"{' and '.join(named)} are both mapped to {role}. Choose one of them.")
        if named:
            mapping[role] = named
    return mapping


def lacks(mapping: ColumnMapping) -> str:
    """What a mapping lacks before it can be used, as a sentence; empty where nothing is missing."""
    if "messages" in mapping or ("prompt" in mapping and "reply" in mapping):
        return ""
    if "prompt" in mapping and "correction" in mapping:
        return ""
    if "prompt" not in mapping:
        return "Say which column is the prompt (or the messages)."
    return "Say which column is the reply."


class Columns:
    """Reads rows by a mapping."""

    label = "Table with columns of your own"
    example = "question, answer, rating, ... : say what each column is"

    def __init__(self, mapping: ColumnMapping | None = None) -> None:
        self.mapping = dict(mapping or {})

    def matches(self, row: dict[str, Any]) -> bool:
        """Any row with more than one column."""
        return len(row) > 1

    def read(self, row: dict[str, Any]) -> Iterable[Call | Said]:
        """The row's call with its feedback."""
        missing = [name for names in self.mapping.values() for name in names if name not in row]
        if missing and not any(name in row for names in self.mapping.values() for name in names):
            raise Refused(f"The row has no column {missing[0]!r}.", missing[0])
        messages, last = self._said(row)
        request = known({"model": text_of(self._value(row, "model")), "tools": self._tools(row), "messages": messages})
        feedback = list(self._feedback(row))
        if (worse := self._text(row, "rejected")).strip():
            feedback += [Said("correction", text=chat.content_of(last))]
            last = chat.said("assistant", worse)
        return [Call(request, chat.answered(last), self._facts(row), feedback)]

    def _said(self, row: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        if "messages" in self.mapping:
            return self._conversation(row)
        prompt = "\n\n".join(text for name in self.mapping.get("prompt", ()) if (text := _text(row.get(name))).strip())
        if not prompt:
            raise Refused(
                "There is no prompt: the cell is empty. Fill it in, or leave the row out.", self._name("prompt")
            )
        system = "\n\n".join(text for name in self.mapping.get("system", ()) if (text := _text(row.get(name))).strip())
        messages = [chat.said("system", system)] if system else []
        return [*messages, chat.said("user", prompt)], self._reply(row)

    def _conversation(self, row: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        name = self._name("messages")
        found = [turn(item) for item in list_of(row.get(name))]
        if not found:
            raise Refused("The messages must be a JSON list of turns with `role` and `content`.", name)
        if (reply := self._text(row, "reply")).strip():
            return chat.checked(found, name), chat.said("assistant", reply)
        return chat.split_last(found, name)

    def _reply(self, row: dict[str, Any]) -> dict[str, Any]:
        value = json_of(self._value(row, "reply"))
        if isinstance(value, dict) and value.get("role") == "assistant":
            return value
        text = self._text(row, "reply")
        text = text if text.strip() else self._text(row, "correction")
        if not text.strip():
            raise Refused(
                "There is no reply: the cell is empty. Fill it in, or leave the row out.", self._name("reply")
            )
        return chat.said("assistant", text)

    def _facts(self, row: dict[str, Any]) -> dict[str, Any]:
        latency, cost = self._amount(row, "latency_ms"), self._amount(row, "cost_usd")
        seconds, cents = self._amount(row, "latency_s"), self._amount(row, "cost_cents")
        return known(
            {
                "at": moment(self._value(row, "time"), self._name("time")),
                "external_id": id_of(self._value(row, "external_id")),
                "user_id": id_of(self._value(row, "user")),
                "session_id": id_of(self._value(row, "session")),
                "trace_id": id_of(self._value(row, "trace")),
                "model": text_of(self._value(row, "model")),
                "latency_ms": latency if seconds is None else seconds * 1000,
                "cost_usd": cost if cents is None else cents / 100,
                "prompt_tokens": count(self._value(row, "prompt_tokens"), self._name("prompt_tokens")),
                "completion_tokens": count(self._value(row, "completion_tokens"), self._name("completion_tokens")),
                "tags": clean_tags(self._tags(row)),
            }
        )

    def _tags(self, row: dict[str, Any]) -> dict[str, Any]:
        """One tag for each column, or what a column with an object holds."""
        found: dict[str, Any] = {}
        for name in self.mapping.get("tags", ()):
            value = json_of(row.get(name))
            if isinstance(value, dict):
                found |= {inner: item for inner, item in value.items() if not isinstance(item, dict | list)}
            elif isinstance(value, list):
                found |= {text_of(item): True for item in value if isinstance(item, str)}
            elif text := text_of(value).strip():
                found[name] = text
        return found

    def _feedback(self, row: dict[str, Any]) -> Iterable[Said]:
        if (thumbs := rating(self._value(row, "rating"), self._name("rating"))) is not None:
            yield Said("thumbs", thumbs)
        if (score := number(self._value(row, "score"), self._name("score"))) is not None:
            yield Said("score", score, name=self._name("score")[:120])
        correction = self._text(row, "correction")
        if correction.strip() and "reply" in self.mapping and correction != self._text(row, "reply"):
            yield Said("correction", text=correction)
        if (comment := self._text(row, "comment")).strip():
            yield Said("comment", text=comment)

    def _tools(self, row: dict[str, Any]) -> list[Any] | None:
        return list_of(self._value(row, "tools")) or None

    def _amount(self, row: dict[str, Any], role: str) -> float | None:
        return amount(self._value(row, role), self._name(role))

    def _text(self, row: dict[str, Any], role: str) -> str:
        return _text(self._value(row, role))

    def _value(self, row: dict[str, Any], role: str) -> Any:
        names = self.mapping.get(role)
        return row.get(names[0]) if names else None

    def _name(self, role: str) -> str:
        return self.mapping[role][0] if role in self.mapping else role


def _text(value: Any) -> str:
    found = json_of(value) if not isinstance(value, str) else value
    return chat.content_of(found) if isinstance(found, dict | list) else text_of(found)
