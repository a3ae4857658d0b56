"""Pieces of a message, joined: what the chunks of a stream add up to, for every choice by itself."""

from __future__ import annotations

from typing import Any

from studio.capture.wire.shapes import as_dict, as_text, dicts, number, string

TEXTS = {
    "content": "content",
    "refusal": "refusal",
    "reasoning_content": "reasoning_content",
    "reasoning": "reasoning_content",
}
"""Fields that come in pieces, and where they are joined."""
HEARD = frozenset(TEXTS) | {"role", "tool_calls", "function_call"}


class Choice:
    """One choice of a stream."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.finish_reason: str | None = None
        self._role = "assistant"
        self._texts: dict[str, list[str]] = {}
        self._calls: dict[int, dict[str, Any]] = {}
        self._others: dict[str, Any] = {}
        self._logprobs: dict[str, list[Any]] = {}

    def take(self, choice: dict[str, Any]) -> None:
        """Add a chunk's part of this choice."""
        self.finish_reason = as_text(choice.get("finish_reason")) or self.finish_reason
        delta = as_dict(choice.get("delta"))
        self._role = as_text(delta.get("role")) or self._role
        for name, place in TEXTS.items():
            if isinstance(delta.get(name), str):
                self._texts.setdefault(place, []).append(delta[name])
        for call in dicts(delta.get("tool_calls")):
            self._take_call(call)
        if isinstance(delta.get("function_call"), dict):
            self._take_call({"index": 0, "function": delta["function_call"]})
        for name, value in delta.items():
            if name not in HEARD and value is not None:
                self._others[name] = _more(self._others.get(name), value)
        for name, told in as_dict(choice.get("logprobs")).items():
            self._logprobs.setdefault(name, []).extend(told if isinstance(told, list) else [])

    def message(self) -> dict[str, Any]:
        """The message that the pieces add up to."""
        joined = {name: "".join(pieces) for name, pieces in self._texts.items()}
        message = {**self._others, "role": self._role, "content": joined.pop("content", "") or None}
        message |= {name: text for name, text in joined.items() if text}
        if self._calls:
            message["tool_calls"] = [self._calls[index] for index in sorted(self._calls)]
        return message

    def whole(self) -> dict[str, Any]:
        """The choice as a completion in one piece has it."""
        found = {"index": self.index, "message": self.message(), "finish_reason": self.finish_reason}
        logprobs = {name: told for name, told in self._logprobs.items() if told}
        return {**found, "logprobs": logprobs} if logprobs else found

    def _take_call(self, piece: dict[str, Any]) -> None:
        empty: dict[str, Any] = {"id": None, "type": "function", "function": {"name": "", "arguments": ""}}
        call = self._calls.setdefault(number(piece.get("index")), empty)
        call["id"] = as_text(piece.get("id")) or call["id"]
        function = as_dict(piece.get("function"))
        call["function"]["name"] += string(function.get("name"))
        call["function"]["arguments"] += string(function.get("arguments"))


def _more(had: Any, value: Any) -> Any:
    """A field that nobody here knows: texts and lists grow, of anything else the last one counts."""
    if isinstance(had, str) and isinstance(value, str):
        return had + value
    if isinstance(had, list) and isinstance(value, list):
        return [*had, *value]
    return value
