"""An upstream's answer as one message: from a chat completion, or put together from the events of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from studio.capture.text import parse_json


@dataclass
class Answer:
    """What the model said, and what came with it."""

    message: dict[str, Any] = field(default_factory=dict)
    finish_reason: str | None = None
    model: str = ""
    id: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    complete: bool = True


def read_completion(body: bytes) -> Answer:
    """The answer in a `chat.completion` body, or the error in an error body."""
    found = parse_json(body)
    if not isinstance(found, dict):
        text = body[:2000].decode("utf-8", "replace")
        return Answer(error=text or "The answer was empty.", complete=False)
    answer = Answer(model=str(found.get("model") or ""), id=_text(found.get("id")), usage=_dict(found.get("usage")))
    answer.error = error_text(found)
    for choice in _dicts(found.get("choices"))[:1]:
        answer.message = _dict(choice.get("message"))
        answer.finish_reason = _text(choice.get("finish_reason"))
    return answer


def read_stream(body: bytes) -> Answer:
    """The answer that the `chat.completion.chunk` events of a stream add up to; incomplete if it was cut."""
    joined = _Joined()
    for event in _events(body):
        if event == b"[DONE]":
            joined.done = True
        elif isinstance(chunk := parse_json(event), dict):
            joined.take(chunk)
    return joined.answer()


def error_text(body: dict[str, Any]) -> str | None:
    """The message of an error body, OpenAI's or TGI's form."""
    error = body.get("error")
    if isinstance(error, dict):
        return str(error.get("message") or error)
    return str(error) if error else None


class _Joined:
    """Sums up chunks of the first choice."""

    def __init__(self) -> None:
        self.content: list[str] = []
        self.refusal: list[str] = []
        self.reasoning: list[str] = []
        self.calls: dict[int, dict[str, Any]] = {}
        self.role = "assistant"
        self.result = Answer()
        self.done = False

    def take(self, chunk: dict[str, Any]) -> None:
        result = self.result
        result.model = result.model or str(chunk.get("model") or "")
        result.id = result.id or _text(chunk.get("id"))
        result.usage = _dict(chunk.get("usage")) or result.usage
        result.error = error_text(chunk) or result.error
        for choice in _dicts(chunk.get("choices")):
            if not choice.get("index"):
                self._take_delta(_dict(choice.get("delta")))
                result.finish_reason = _text(choice.get("finish_reason")) or result.finish_reason

    def answer(self) -> Answer:
        message: dict[str, Any] = {"role": self.role, "content": "".join(self.content) or None}
        for name, parts in (("refusal", self.refusal), ("reasoning_content", self.reasoning)):
            if parts:
                message[name] = "".join(parts)
        if self.calls:
            message["tool_calls"] = [self.calls[index] for index in sorted(self.calls)]
        self.result.message = message
        self.result.complete = self.done or self.result.finish_reason is not None
        return self.result

    def _take_delta(self, delta: dict[str, Any]) -> None:
        self.role = str(delta.get("role") or self.role)
        for name, parts in (
            ("content", self.content),
            ("refusal", self.refusal),
            ("reasoning_content", self.reasoning),
            ("reasoning", self.reasoning),
        ):
            if isinstance(delta.get(name), str):
                parts.append(delta[name])
        for call in _dicts(delta.get("tool_calls")):
            self._take_call(call)

    def _take_call(self, piece: dict[str, Any]) -> None:
        index = piece.get("index")
        empty: dict[str, Any] = {"id": None, "type": "function", "function": {"name": "", "arguments": ""}}
        call = self.calls.setdefault(index if isinstance(index, int) else 0, empty)
        call["id"] = piece.get("id") or call["id"]
        function = _dict(piece.get("function"))
        call["function"]["name"] += str(function.get("name") or "")
        call["function"]["arguments"] += str(function.get("arguments") or "")


def _events(body: bytes) -> Iterator[bytes]:
    for line in body.splitlines():
        if line.startswith(b"data:"):
            yield line[5:].strip()


def _text(value: Any) -> str | None:
    return str(value) if value else None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
