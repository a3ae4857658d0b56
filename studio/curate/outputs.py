"""What counts as an answer: reply text, or tool calls written as canonical JSON so that equal calls are equal text."""

from __future__ import annotations

import json
from typing import Any

CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return CANONICAL.encode(value)


def parse_object(text: str) -> dict[str, Any] | None:
    """The JSON object that the text is, or None when it is anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def same_answer(text: str) -> str:
    """A form in which equal answers are equal text: JSON by value, anything else without space at the ends."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "text:" + text.strip()
    return "json:" + canonical(value)


def output_of(reply: dict[str, Any]) -> str:
    """The answer of an assistant message as text; tool calls become canonical JSON without their random ids."""
    text = _text(reply.get("content"))
    calls = [_call(call) for call in reply.get("tool_calls") or [] if isinstance(call, dict)]
    if not calls:
        return text
    return canonical({"content": text, "tool_calls": calls} if text else {"tool_calls": calls})


def assistant_message(output: str) -> dict[str, Any]:
    """The assistant message that an output stands for; the inverse of `output_of`."""
    value = parse_object(output) if '"tool_calls"' in output else None
    if not value or not isinstance(value.get("tool_calls"), list) or not set(value) <= {"content", "tool_calls"}:
        return {"role": "assistant", "content": output}
    calls = [_wire_call(number, call) for number, call in enumerate(value["tool_calls"])]
    return {"role": "assistant", "content": value.get("content"), "tool_calls": calls}


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function") or {}
    arguments = function.get("arguments")
    parsed = parse_object(arguments) if isinstance(arguments, str) else arguments
    return {"name": function.get("name", ""), "arguments": arguments if parsed is None else parsed}


def _wire_call(number: int, call: dict[str, Any]) -> dict[str, Any]:
    arguments = call.get("arguments")
    text = arguments if isinstance(arguments, str) else canonical(arguments)
    return {"id": f"call_{number}", "type": "function", "function": {"name": call.get("name", ""), "arguments": text}}
