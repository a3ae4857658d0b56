"""Anthropic's messages: blocks become texts, tool calls and their results as chat completions have them."""

from __future__ import annotations

from typing import Any

from studio.capture.wire.answer import Answer, Asked, Wire, error_text
from studio.capture.wire.chat import named_user
from studio.capture.wire.message_blocks import said_by_assistant, system_of, tool_choice, tools_of, turn
from studio.capture.wire.shapes import as_dict, as_text, dicts, known, number, string, without
from studio.capture.wire.sse import events

OWN = ("messages", "system", "tools", "tool_choice", "stop_sequences", "model", "stream", "metadata")
WHY = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
DELTAS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
PARTIAL = "partial_json"


def read_asked(body: dict[str, Any]) -> Asked:
    """The request."""
    renamed = known(stop=body.get("stop_sequences"), tool_choice=tool_choice(body.get("tool_choice")))
    return Asked(
        model=as_text(body.get("model")) or "",
        messages=[*system_of(body.get("system")), *(each for one in dicts(body.get("messages")) for each in turn(one))],
        tools=tools_of(body.get("tools")),
        params={**without(body, *OWN), **renamed},
        user=named_user(body),
        session=as_text(as_dict(body.get("metadata")).get("session_id")),
    )


def take_whole(found: dict[str, Any], answer: Answer) -> None:
    """A `message`."""
    content = found.get("content")
    if content is not None or found.get("type") == "message":
        answer.message = said_by_assistant(content, as_text(found.get("role")) or "assistant")
    reason = as_text(found.get("stop_reason"))
    answer.finish_reason = WHY.get(reason, reason) if reason else None


def read_stream(body: bytes) -> Answer:
    """What the events of a stream add up to; incomplete if it was cut."""
    joined = _Joined()
    for event in events(body):
        if event is not None:
            joined.take(event)
    return joined.answer()


class _Joined:
    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._usage: dict[str, Any] = {}
        self._error: str | None = None
        self._done = False

    def take(self, event: dict[str, Any]) -> None:
        kind, place = event.get("type"), number(event.get("index"))
        if kind == "message_start":
            self._message = as_dict(event.get("message"))
            self._count(self._message.get("usage"))
        elif kind == "content_block_start":
            self._blocks[place] = _begun(as_dict(event.get("content_block")))
        elif kind == "content_block_delta":
            self._grow(self._blocks.setdefault(place, {}), as_dict(event.get("delta")))
        elif kind == "content_block_stop" and place in self._blocks:
            self._blocks[place] = _ended(self._blocks[place])
        elif kind == "message_delta":
            self._message = {**self._message, **as_dict(event.get("delta"))}
            self._count(event.get("usage"))
        elif kind == "message_stop":
            self._done = True
        elif kind == "error" or event.get("error"):
            self._error = error_text(event) or "The stream told an error."

    def answer(self) -> Answer:
        message = self._message
        answer = Answer(model=as_text(message.get("model")) or "", id=as_text(message.get("id")), usage=self._usage)
        content = [self._blocks[place] for place in sorted(self._blocks)]
        take_whole({**message, "type": "message", "content": content}, answer)
        answer.error = self._error
        answer.complete = self._done or answer.finish_reason is not None
        return answer

    def _count(self, usage: Any) -> None:
        """The counts at the end are of the whole answer; those of the prompt may be told at the start only."""
        self._usage |= {name: value for name, value in as_dict(usage).items() if value is not None}

    def _grow(self, block: dict[str, Any], delta: dict[str, Any]) -> None:
        kind = string(delta.get("type"))
        if kind in DELTAS:
            name = DELTAS[kind]
            block.setdefault("type", "text" if name == "text" else "thinking")
            block[name] = string(block.get(name)) + string(delta.get(name))
        elif kind == "input_json_delta":
            block.setdefault("type", "tool_use")
            block[PARTIAL] = string(block.get(PARTIAL)) + string(delta.get(PARTIAL))
        elif kind == "citations_delta" and delta.get("citation"):
            had = block.get("citations")
            block["citations"] = [*(had if isinstance(had, list) else []), delta["citation"]]


def _begun(block: dict[str, Any]) -> dict[str, Any]:
    """A call's arguments come in pieces; the empty ones that it begins with are none yet."""
    return without(block, "input") if block.get("input") == {} else dict(block)


def _ended(block: dict[str, Any]) -> dict[str, Any]:
    is_call = string(block.get("type")).endswith("tool_use")
    return {**block, "input": {}} if is_call and not block.get(PARTIAL) and "input" not in block else block


MESSAGES = Wire(read_asked, take_whole, read_stream)
